# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import zlib

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import ZERO_CHUNK_DIGEST
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.zero_chunk import PLAIN_SIZE, insert_action, zero_chunk

# Of the file that PBS writes; see its data blob format.
FILE_SHA256 = "9cde395bc398bbcbe0c3d0f94fe20de86828d2e24b9c45ddc8dbe6df5e85fb46"
FRAME_SHA256 = "13520d93478536cda5f70470c415791cecefacd4e6ed0a305036a6e0877fb0f2"


def test_it_is_the_file_of_pbs_byte_for_byte():
    data = zero_chunk()
    assert len(data) == 159
    assert hashlib.sha256(data).hexdigest() == FILE_SHA256
    assert hashlib.sha256(data[12:]).hexdigest() == FRAME_SHA256
    assert int.from_bytes(data[8:12], "little") == zlib.crc32(data[12:]) == 0x120D89B9


def test_its_name_is_the_digest_of_four_mebibytes_of_zeros():
    assert hashlib.sha256(bytes(PLAIN_SIZE)).hexdigest() == ZERO_CHUNK_DIGEST


@pytest.mark.parametrize(
    ("existing", "s3", "action"),
    [
        (159, False, "touch"),  # the same size: only touched, whatever the bytes are
        (0, False, "overwrite"),
        (0, True, "touch"),  # a marker of an object in the bucket
        (1, False, "touch"),
        (158, False, "touch"),
        (160, False, "replace"),
        (166, False, "replace"),
    ],
)
def test_inserting_looks_at_lengths_alone(existing, s3, action):
    assert insert_action(existing, 159, s3) == action
