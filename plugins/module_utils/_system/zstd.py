# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decompression with the zstd library of the host; every PBS host has it, because PBS's package depends on it."""

from __future__ import annotations

import ctypes
import functools
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

LIBRARY = "libzstd.so.1"

_STEP = 128 * 1024
"""Bytes that one call may give; the largest block of zstd."""
_SMALLEST_WINDOW_LOG = 20
_LARGEST_WINDOW_LOG = 27
_WINDOW_LOG_MAX = 100
"""`ZSTD_d_windowLogMax`, an experimental name of a parameter that is stable: its number is part of the ABI."""


class ZstdError(CollectionError, ValueError):
    """The data is not a zstd frame, or ends inside one."""


class TooMuch(ZstdError):
    """The decompressed data, or the memory that a frame requires, exceeds the limit."""


class LibraryMissing(CollectionError, RuntimeError):
    """No zstd library could be loaded on this host."""


class _InBuffer(ctypes.Structure):
    """`ZSTD_inBuffer`."""

    _fields_ = [("src", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


class _OutBuffer(ctypes.Structure):
    """`ZSTD_outBuffer`."""

    _fields_ = [("dst", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def decompress(data: bytes, limit: int, library: str = LIBRARY) -> bytes:
    """The content of one or more zstd frames; `limit` is the most bytes that it may have.

    Memory stays below the limit plus one window of the frame, which may not be larger than the limit needs (1 MiB at
    least); time grows with the lengths of input and output. Raises `TooMuch`, `ZstdError`, and `LibraryMissing`.
    """
    zstd = _load(library)
    stream = zstd.ZSTD_createDStream()
    if not stream:
        raise MemoryError("no memory for a zstd stream")
    try:
        window_log = min(max(_SMALLEST_WINDOW_LOG, limit.bit_length()), _LARGEST_WINDOW_LOG)
        _check(zstd, zstd.ZSTD_DCtx_setParameter(stream, _WINDOW_LOG_MAX, window_log))
        return _stream(zstd, stream, data, limit)
    finally:
        zstd.ZSTD_freeDStream(stream)


def _stream(zstd: t.Any, stream: int, data: bytes, limit: int) -> bytes:
    room = ctypes.create_string_buffer(_STEP)
    source = ctypes.c_char_p(data)
    given = _InBuffer(ctypes.cast(source, ctypes.c_void_p), len(data), 0)
    content = bytearray()
    wanted = 1  # 0 at the end of a frame
    while True:
        taken = _OutBuffer(ctypes.cast(room, ctypes.c_void_p), _STEP, 0)
        before = given.pos
        wanted = zstd.ZSTD_decompressStream(stream, ctypes.byref(taken), ctypes.byref(given))
        _check(zstd, wanted)
        content += room.raw[: taken.pos]
        if len(content) > limit:
            raise TooMuch(f"the content is larger than {limit} bytes")
        if wanted == 0 and given.pos == len(data):
            return bytes(content)
        if taken.pos == 0 and given.pos == before:
            raise ZstdError("the zstd frame ends too early")


def _check(zstd: t.Any, answer: int) -> None:
    if not zstd.ZSTD_isError(answer):
        return
    name = t.cast(bytes, zstd.ZSTD_getErrorName(answer)).decode("ascii", "replace")
    if "memory" in name:
        raise TooMuch(f"the zstd frame asks for too much memory ({name})")
    raise ZstdError(f"the zstd frame is damaged ({name})")


@functools.cache
def _load(library: str) -> t.Any:
    """The library with the types of the functions that are used."""
    try:
        zstd = ctypes.CDLL(library)
        zstd.ZSTD_createDStream.restype = ctypes.c_void_p
        zstd.ZSTD_createDStream.argtypes = ()
        zstd.ZSTD_freeDStream.restype = ctypes.c_size_t
        zstd.ZSTD_freeDStream.argtypes = (ctypes.c_void_p,)
        zstd.ZSTD_DCtx_setParameter.restype = ctypes.c_size_t
        zstd.ZSTD_DCtx_setParameter.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        zstd.ZSTD_decompressStream.restype = ctypes.c_size_t
        zstd.ZSTD_decompressStream.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        zstd.ZSTD_isError.restype = ctypes.c_uint
        zstd.ZSTD_isError.argtypes = (ctypes.c_size_t,)
        zstd.ZSTD_getErrorName.restype = ctypes.c_char_p
        zstd.ZSTD_getErrorName.argtypes = (ctypes.c_size_t,)
    except (OSError, AttributeError) as exc:
        raise LibraryMissing(f"{library} cannot be loaded: {exc}") from None
    return zstd
