# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for proxmox-backup-manager, for tests: real chunk stores, real configuration files, recorded answers.

usage: fake_manager.py datastore create NAME PATH [--OPTION VALUE]...      (and what else COMMANDS lists)

It answers as a PBS 4.2.0 was seen to answer; test_fake_manager.py replays the recordings against it. Nothing of it is
ever installed. In the environment:

FAKE_MANAGER_ROOT       the directory that holds etc, run and var (required)
FAKE_MANAGER_VERSION    the version that it claims (4.2.0-1)
FAKE_MANAGER_PREFIXES   how many of the 65536 prefix directories it makes and wants to see, from 0000 on, and bb9f
FAKE_MANAGER_LOCK_WAIT  seconds that it waits for the configuration lock (10)
FAKE_MANAGER_SLOW       seconds that a creation takes longer, with the lock held (0)

In ROOT/run, the files `api` and `proxy` say that the daemons run, `busy-NAME` that a datastore is in use.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import stat
import struct
import sys
import time
import uuid
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, Callable, NoReturn, Optional

ROOT = Path(os.environ["FAKE_MANAGER_ROOT"])
ETC = ROOT / "etc"
RUN = ROOT / "run"
STATES = ROOT / "var" / "jobstates"
VERSION = os.environ.get("FAKE_MANAGER_VERSION", "4.2.0-1")
SHOWN_ETC = "/etc/proxmox-backup"
PREFIXES = sorted({*range(int(os.environ.get("FAKE_MANAGER_PREFIXES", "65536"))), 0xBB9F})

ZERO_DIGEST = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"
# 159 bytes, 31 of its blocks alike
_FRAME = bytes.fromhex("28b52ffd804800004000" + "5400001000000100fbff39c002" + "02001000" * 30 + "03001000")
ZERO_CHUNK = bytes.fromhex("31b958426fb6a37f") + struct.pack("<I", zlib.crc32(_FRAME)) + _FRAME

Section = dict[str, Any]

KEEPS = ["keep-" + name for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")]
BOOLEANS = ("verify-new", "gc-on-unmount", "reuse-datastore", "overwrite-in-use", "keep-job-configs", "destroy-data")
BOOLEANS += ("disable", "ignore-verified")
SCHEDULES = ("gc-schedule", "prune-schedule", "counter-reset-schedule", "schedule")
NUMBERS = {**dict.fromkeys(KEEPS, (1, None)), "outdated-after": (0, None), "max-depth": (0, 7)}
NUMBERS.update({"read-threads": (1, 32), "verify-threads": (1, 32)})
ENUMERATION = {
    "sync-level": ["none", "file", "filesystem"],
    "chunk-order": ["none", "inode"],
    "maintenance": ["read-only", "offline", "delete", "unmount", "s3-refresh"],
}
KEYS = {
    "tuning": {
        **dict.fromkeys(["sync-level", "chunk-order"], "word"),
        "gc-atime-safety-check": "bool",
        "gc-atime-cutoff": (1, 2880),
        "gc-cache-capacity": (0, 8388608),
        "default-verification-workers": (1, 32),
        "default-verification-readers": (1, 32),
    },
    "notify": dict.fromkeys(["gc", "verify", "sync", "prune"], "word"),
    "notification-thresholds": {
        "s3-" + name: "word" for name in ("get", "put", "post", "head", "delete", "upload", "download")
    },
}
DATASTORE_OPTIONS = [
    "comment", "gc-schedule", "gc-on-unmount", "prune-schedule", *KEEPS, "verify-new", "notify-user", "notify",
    "notification-mode", "tuning", "maintenance-mode", "notification-thresholds", "counter-reset-schedule",
]  # fmt: skip
PRUNE_OPTIONS = ["store", "schedule", "disable", "comment", "ns", "max-depth", *KEEPS]
VERIFY_OPTIONS = ["store", "schedule", "ignore-verified", "outdated-after", "comment", "ns", "max-depth"]
VERIFY_OPTIONS += ["read-threads", "verify-threads"]
SHOW_ORDER = ["name", "path", "comment"]


class Failure(Exception):
    """`Error: …` and exit code 255."""

    usage = False


class UsageFailure(Failure):
    """With the usage text behind it, as for what the command line itself refuses."""

    usage = True


class TaskFailure(Exception):
    """A worker task that ends with this status."""


def parameter(name: str, problem: str, usage: bool = True) -> Failure:
    return (UsageFailure if usage else Failure)(f"parameter verification failed - '{name}': {problem}")


def system_error(error: OSError) -> str:
    number = error.errno or 0
    return f"{errno.errorcode.get(number, '?')}: {os.strerror(number)}"


def backup_ids() -> tuple[int, int]:
    return pwd.getpwnam("backup").pw_uid, grp.getgrnam("backup").gr_gid


# --- arguments --------------------------------------------------------------------------------------------------------


def parse_arguments(words: list[str], positional: list[str], allowed: list[str]) -> dict[str, Any]:
    """Options as PBS takes them: `--key value`, `--key=value`, booleans bare; what is left over is positional."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            rest.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        if not equals:
            following = words[0] if words and not words[0].startswith("--") else None
            if key in BOOLEANS:
                value = words.pop(0) if following is not None and boolean(following) is not None else "true"
            elif following is None:
                raise parameter(key, "missing parameter value.")
            else:
                value = words.pop(0)
        if key not in allowed:
            raise parameter(key, "schema does not allow additional properties.")
        if key == "delete":
            options.setdefault("delete", []).append(value)
        else:
            options[key] = value
    for name in positional:
        if not rest:
            raise parameter(name, "missing argument")
        options["_" + name] = rest.pop(0)
    if rest:
        raise UsageFailure("got additional arguments: " + json.dumps(rest, separators=(", ", ":")))
    for name in positional:
        if name in ("name", "id"):
            check_name(name, options["_" + name])
    for key, value in options.items():
        check_option(key, value)
    return options


def boolean(text: str) -> Optional[bool]:
    return {
        "1": True,
        "on": True,
        "yes": True,
        "true": True,
        "0": False,
        "off": False,
        "no": False,
        "false": False,
    }.get(text.lower())


def check_name(option: str, name: str) -> None:
    if len(name) < 3:
        raise parameter(option, "value must be at least 3 characters long")
    if len(name) > 32:
        raise parameter(option, "value may only be 32 characters long")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise parameter(option, "value does not match the regex pattern")


def check_option(key: str, value: Any) -> None:
    if key in BOOLEANS and boolean(value) is None:
        raise parameter(key, "Unable to parse boolean option.")
    if key in SCHEDULES:
        problem = schedule_problem(value)
        if problem:
            raise parameter(key, problem)
    if key in NUMBERS:
        problem = number_problem(value, NUMBERS[key])
        if problem:
            raise parameter(key, problem)
    if key in KEYS:
        problem = properties_problem(value, KEYS[key])
        if problem:
            raise parameter(key, problem)
    if key == "comment" and re.search(r"[\x00-\x1f\x7f]", value):
        raise parameter(key, "value does not match the regex pattern")
    if key == "digest" and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise parameter(key, "value does not match the regex pattern")
    if key == "output-format" and value not in ("text", "json", "json-pretty"):
        raise parameter(key, f"value '{value}' is not defined in the enumeration.")


def schedule_problem(text: str) -> str:
    words = text.split()
    days = "mon|tue|wed|thu|fri|sat|sun"
    known = r"(minutely|hourly|daily|weekly|monthly|yearly|quarterly|semiannually|annually)"
    if not words:
        return "unable to parse calendar event at '' - Context(\"date or time specification\")"
    first = words[0].lower()
    if first[0].isalpha() and not re.fullmatch(rf"{known}|({days})[a-z]*([.,]+({days})[a-z]*)*", first):
        return f"unable to parse calendar event at '{words[0]}' - Context(\"weekday\")"
    return ""


def number_problem(text: str, limits: tuple[Optional[int], Optional[int]]) -> str:
    low, high = limits
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return f'not an integer: "{text}"'
    if low is not None and int(text) < low:
        return f"schema validation failed: value must have a minimum value of {low} (got {int(text)})"
    if high is not None and int(text) > high:
        return f"schema validation failed: value must have a maximum value of {high} (got {int(text)})"
    return ""


def split_properties(text: str, default: str = "") -> list[tuple[str, str]]:
    """A property string as pairs; a value may be quoted."""
    pairs = []
    position = 0
    while position < len(text):
        match = re.compile(r'(?:([^=,"]*)=)?(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:,|$)').match(text, position)
        if match is None:
            break
        key, quoted, bare = match.groups()
        pairs.append((key if key is not None else default, bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)))
        position = match.end()
    return pairs


def properties_problem(text: str, keys: dict[str, Any]) -> str:
    seen = set()
    for key, value in split_properties(text):
        head = f"parameter verification failed - '{key}': "
        if key not in keys:
            return head + "schema does not allow additional properties"
        if key in seen:
            return head + "duplicate key"
        seen.add(key)
        if isinstance(keys[key], tuple):
            problem = number_problem(value, keys[key])
            if problem:
                return head + problem
        elif keys[key] == "bool" and boolean(value) is None:
            return head + "Unable to parse boolean option."
    return ""


def unknown_variant(value: str, words: list[str]) -> str:
    shown = [f"`{word}`" for word in words]
    expected = " or ".join(shown) if len(shown) == 2 else "one of " + ", ".join(shown)
    return f"unknown variant `{value}`, expected {expected}"


def check_tuning(text: str) -> None:
    """What PBS only notices when it uses the tuning."""
    for key, value in split_properties(text):
        if key in ENUMERATION and value not in ENUMERATION[key]:
            raise TaskFailure(unknown_variant(value, ENUMERATION[key]))


# --- configuration files ----------------------------------------------------------------------------------------------

KNOWN = {
    "datastore.cfg": ("datastore", {"path", "backing-device", "backend", *DATASTORE_OPTIONS}),
    "prune.cfg": ("prune", set(PRUNE_OPTIONS)),
    "verification.cfg": ("verification", set(VERIFY_OPTIONS)),
}


def read_config(name: str) -> dict[str, Section]:
    try:
        data = (ETC / name).read_text()
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise Failure(f"unable to read '\"{SHOWN_ETC}/{name}\"' - Permission denied (os error 13)") from None
    kind, properties = KNOWN[name]
    sections: dict[str, Section] = {}
    current: Optional[Section] = None

    def broken(number: int, problem: str) -> NoReturn:
        raise Failure(f'parsing "{SHOWN_ETC}/{name}" failed: line {number} - {problem}')

    for number, line in enumerate(data.split("\n"), 1):
        if not line.strip():
            current = None
        elif current is None:
            if not line.startswith(kind + ":"):
                broken(number, "syntax error (expected header)")
            current = sections[line.partition(":")[2].strip()] = {}
        else:
            if line[0] not in "\t ":
                broken(number, "syntax error (expected section properties)")
            key, _space, value = line.lstrip().partition(" ")
            if key not in properties:
                broken(number, f"unknown property '{key}'")
            problem = schedule_problem(value) if key in SCHEDULES else ""
            if problem:
                broken(number, f"property '{key}': {problem}")
            current[key] = value.strip()
    return sections


def write_config(name: str, sections: dict[str, Section]) -> None:
    kind, _properties = KNOWN[name]
    text = "\n".join(
        f"{kind}: {identifier}\n" + "".join(f"\t{key} {section[key]}\n" for key in sorted(section))
        for identifier, section in sections.items()
    )
    new = ETC / f".{name}.new"
    new.write_text(text)
    new.chmod(0o640)
    os.chown(new, 0, backup_ids()[1])
    new.replace(ETC / name)


class Lock:
    """PBS's lock of a configuration file; whoever waits too long for it fails."""

    def __init__(self, name: str) -> None:
        self.name = f".{name}.lck"

    def __enter__(self) -> None:
        try:
            self.fd = os.open(ETC / self.name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            raise Failure(f'open "{SHOWN_ETC}/{self.name}" failed - {system_error(error)}') from None
        until = time.monotonic() + float(os.environ.get("FAKE_MANAGER_LOCK_WAIT", "10"))
        while not self.try_lock():
            if time.monotonic() > until:
                raise Failure(
                    f'Unable to acquire lock "{SHOWN_ETC}/{self.name}" - Interrupted system call (os error 4)'
                )
            time.sleep(0.01)

    def try_lock(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_error: object) -> None:
        os.close(self.fd)


def check_digest(options: dict[str, Any], name: str) -> None:
    wanted = options.get("digest")
    if wanted is None:
        return
    data = (ETC / name).read_bytes() if (ETC / name).exists() else b""
    if hashlib.sha256(data).hexdigest() != wanted:
        raise Failure("detected modified configuration - file changed by other user? Try again.")


# --- who may, and what runs -------------------------------------------------------------------------------------------


def started() -> bool:
    return ETC.is_dir()


def connect() -> None:
    """As the command line does for what the daemons do: log in as root, and reach both."""
    if os.geteuid() != 0:
        raise Failure("no password input mechanism available")
    if not started():
        sys.stderr.write(
            f"\nthread 'main' ({os.getpid()}) panicked at src/auth_helpers.rs:108:65:\n"
            "called `Result::unwrap()` on an `Err` value: unable to read "
            '"/etc/proxmox-backup/authkey.key" - No such file or directory (os error 2)\n'
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"
        )
        sys.exit(101)
    if not ((RUN / "api").exists() and (RUN / "proxy").exists()):
        raise Failure("client error (Connect)")


# --- output -----------------------------------------------------------------------------------------------------------


def emit(value: Any, options: dict[str, Any], columns: list[str], key: str) -> None:
    style = options.get("output-format", "text")
    if style == "json":
        print(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    elif style == "json-pretty":
        print(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False))
    elif isinstance(value, list):
        if value:
            rows = sorted(value, key=lambda row: row[key])
            table(columns, [[str(row.get(column, "")) for column in columns] for row in rows])
    else:
        rest = sorted(set(value) - set(SHOW_ORDER))
        table(["Name", "Value"], [[name, plain(value[name])] for name in [*SHOW_ORDER, *rest] if name in value])


def plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * (width + 2) for width in widths) + right

    def text(row: list[str]) -> str:
        return "│" + "│".join(f" {cell.ljust(width)} " for cell, width in zip(row, widths)) + "│"

    print(rule("┌", "─", "┬", "┐"))
    print(text(head))
    print(rule("╞", "═", "╪", "╡"))
    for number, row in enumerate(rows):
        if number:
            print(rule("├", "─", "┼", "┤"))
        print(text(row))
    print(rule("└", "─", "┴", "┘"))


def shown(section: Section, identifier: str, name: str) -> dict[str, Any]:
    result: dict[str, Any] = {name: identifier}
    for key, value in section.items():
        result[key] = boolean(value) if key in BOOLEANS else int(value) if key in NUMBERS else value
    return result


def task(worker: Callable[[], None]) -> None:
    """A worker that the command line follows: its log, its result, and an exit code that says it."""
    try:
        worker()
    except TaskFailure as failure:
        print(f"TASK ERROR: {failure}")
        raise Failure(f"task failed (status {failure})") from None
    print("TASK OK")


# --- chunk stores -----------------------------------------------------------------------------------------------------


def touch_atime(path: Path) -> None:
    """utimensat(path, {UTIME_NOW, UTIME_OMIT}): atime alone."""
    now, omit = (1 << 30) - 1, (1 << 30) - 2
    times = (ctypes.c_long * 4)(0, now, 0, omit)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.utimensat(-100, os.fsencode(path), ctypes.byref(times), 0x100) != 0:
        raise OSError(ctypes.get_errno(), "utimensat")


def nested_check(path: str, sections: dict[str, Section]) -> None:
    mine = PurePosixPath(path).parts
    for name, section in sections.items():
        if "backing-device" in section:
            continue
        other = PurePosixPath(section["path"]).parts
        if mine[: len(other)] == other or other[: len(mine)] == mine:
            raise TaskFailure(
                "parameter verification failed - 'path': nested datastores not allowed: "
                f"'{name}' already in \"{section['path']}\""
            )


def check_empty(path: Path) -> None:
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    if any(not name.startswith(".") and name != "lost+found" for name in names):
        raise TaskFailure("datastore path not empty")


def create_store(name: str, path: Path) -> None:
    uid, gid = backup_ids()
    if path.exists() and not path.is_dir():
        raise TaskFailure(f"unable to create chunk store '{name}' at \"{path}\" - ENOTDIR: Not a directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
    except OSError as error:
        raise TaskFailure(system_error(error)) from None
    chunks = path / ".chunks"

    def directory(where: Path) -> None:
        try:
            where.mkdir(mode=0o750)
            os.chown(where, uid, gid)
        except OSError as error:
            raise TaskFailure(
                f"unable to create chunk store '{name}' subdir \"{where}\" - "
                f'unable to create directory "{where}" - {system_error(error)}'
            ) from None

    directory(chunks)
    lock = path / ".lock"
    lock.touch(0o644)
    os.chown(lock, uid, gid)
    percent = 0
    for done, prefix in enumerate(PREFIXES, 1):
        directory(chunks / f"{prefix:04x}")
        if done * 100 // len(PREFIXES) > percent and percent < 99:
            percent = done * 100 // len(PREFIXES)
            print(f"Chunkstore create: {percent}%")


def verify_store(path: Path) -> None:
    uid, gid = backup_ids()

    def check(where: Path, mode: int) -> None:
        head = f'unable to open existing chunk store path "{where}" - '
        try:
            found = where.lstat()
        except OSError as error:
            raise TaskFailure(head + system_error(error)) from None
        if (found.st_uid, found.st_gid) != (uid, gid) or found.st_mode & 0o777 != mode:
            raise TaskFailure(head + "permissions or owner not correct")

    check(path, 0o755)
    check(path / ".chunks", 0o750)
    for prefix in PREFIXES:
        check(path / ".chunks" / f"{prefix:04x}", 0o750)
    check(path / ".lock", 0o644)


def check_atime(path: Path) -> None:
    """PBS's own check, as whoever calls; without its second of patience."""
    chunk = path / ".chunks" / ZERO_DIGEST[:4] / ZERO_DIGEST
    existing = chunk.exists()
    if not existing:
        temporary = chunk.with_name(chunk.name + ".tmp_AbCdEf")
        temporary.write_bytes(ZERO_CHUNK)
        temporary.chmod(0o644)
        if os.geteuid() == 0:
            os.chown(temporary, *backup_ids())
        temporary.replace(chunk)
    time.sleep(0.05)
    before = chunk.stat()
    try:
        touch_atime(chunk)
    except OSError as error:
        raise TaskFailure(f'update atime failed for chunk/file "{chunk}" - {system_error(error)}') from None
    after = chunk.stat()
    if after.st_atime_ns <= before.st_atime_ns:

        def moment(number: int) -> str:
            return f"Some(SystemTime {{ tv_sec: {number // 10**9}, tv_nsec: {number % 10**9} }})"

        print("Chunk metadata was not correctly updated during access time safety check:")
        for word, found in (("before", before), ("after", after)):
            print(
                f"Timestamps {word} update: accessed {moment(found.st_atime_ns)}, "
                f"modified {moment(found.st_mtime_ns)}, created None"
            )
        kind = "pre-existing" if existing else "newly inserted"
        raise TaskFailure(f"access time safety check using {kind} chunk failed, aborting GC!")


def wants_check(section: Section) -> bool:
    return boolean(dict(split_properties(section.get("tuning", ""))).get("gc-atime-safety-check", "true")) is not False


# --- commands ---------------------------------------------------------------------------------------------------------


def version(words: list[str]) -> None:
    options = parse_arguments(words, [], ["verbose", "output-format"])
    running = VERSION.partition("-")[0]
    if "output-format" in options:
        raise Failure("not part of the stand-in")
    print(f"proxmox-backup-server {VERSION} running version: {running}")


def datastore_list(words: list[str]) -> None:
    options = parse_arguments(words, [], ["output-format"])
    if not started():
        raise Failure('path "/run/proxmox-backup/shmem" is not on tmpfs')
    stores = [shown(section, name, "name") for name, section in read_config("datastore.cfg").items()]
    emit(stores, options, ["name", "path", "comment"], "name")


def datastore_show(words: list[str]) -> None:
    options = parse_arguments(words, ["name"], ["output-format"])
    name = options["_name"]
    sections = read_config("datastore.cfg")
    if name not in sections:
        raise Failure(f"no such datastore '{name}'")
    emit(shown(sections[name], name, "name"), options, [], "name")


def datastore_create(words: list[str]) -> None:
    allowed = [*DATASTORE_OPTIONS, "backing-device", "backend", "overwrite-in-use"]
    if tuple(map(int, re.findall(r"\d+", VERSION)[:3])) >= (4, 0, 4):
        allowed.append("reuse-datastore")
    options = parse_arguments(words, ["name", "path"], allowed)
    connect()
    name, path = options.pop("_name"), options.pop("_path")
    reuse = boolean(options.pop("reuse-datastore", "false"))
    options.pop("overwrite-in-use", None)
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name in sections:
            raise parameter("name", f"datastore '{name}' already exists.", usage=False)
        if not path.startswith("/") and "backing-device" not in options:
            raise parameter("path", f"expected an absolute path, '{path}' is not", usage=False)
        prune = {key: options.pop(key) for key in [*KEEPS, "prune-schedule"] if key in options}
        section = {"path": path, **{key: stored(key, value) for key, value in options.items()}}
        job = prune_section(name, prune)

        def worker() -> None:
            if path.strip("/") == "":
                raise TaskFailure("cannot create datastore in root path")
            nested_check(path, sections)
            check_tuning(section.get("tuning", ""))
            if reuse:
                verify_store(Path(path))
            else:
                check_empty(Path(path))
                create_store(name, Path(path))
            time.sleep(float(os.environ.get("FAKE_MANAGER_SLOW", "0")))
            if wants_check(section):
                try:
                    check_atime(Path(path))
                except TaskFailure as failure:
                    raise TaskFailure(f"access time safety check failed: {failure}") from None
                print("Access time update check successful.")
            else:
                print("Access time update check skipped.")
            write_config("datastore.cfg", {**sections, name: section})
            if job:
                identifier = f"default-{name}-{uuid.uuid4()}"[:32]
                write_config("prune.cfg", {**read_config("prune.cfg"), identifier: job})
                print(f"Prune job created: {identifier}")

        task(worker)


def prune_section(store: str, prune: dict[str, str]) -> Section:
    """The prune job that a creation with prune options makes; nothing without a schedule."""
    if "prune-schedule" not in prune:
        return {}
    jobs = read_config("prune.cfg").values()
    if len(prune) == 1 and any(job["store"] == store for job in jobs):
        return {}
    schedule = prune.pop("prune-schedule")
    return {"store": store, "schedule": schedule, **prune}


def stored(key: str, value: str) -> str:
    if key in BOOLEANS:
        return "true" if boolean(value) else "false"
    return value


def datastore_update(words: list[str]) -> None:
    options = parse_arguments(words, ["name"], [*DATASTORE_OPTIONS, "delete", "digest", "output-format"])
    deletable = {*DATASTORE_OPTIONS}
    for key in options.get("delete", ()):
        if key not in deletable:
            raise parameter("delete", f"value '{key}' is not defined in the enumeration.")
    connect()
    name = options.pop("_name")
    style = options.pop("output-format", "text")
    if options.get("notification-mode", "notification-system") not in ("legacy-sendmail", "notification-system"):
        raise Failure(unknown_variant(options["notification-mode"], ["legacy-sendmail", "notification-system"]))
    mode = dict(split_properties(options.get("maintenance-mode", ""), "type"))
    if mode and mode["type"] not in ENUMERATION["maintenance"]:
        raise Failure(unknown_variant(mode["type"], ENUMERATION["maintenance"]))
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name not in sections:
            raise Failure(f"no such datastore '{name}'")
        check_digest(options, "datastore.cfg")
        options.pop("digest", None)
        section = sections[name]
        deleted = options.pop("delete", [])
        if section.get("maintenance-mode", "").startswith("delete") and ("maintenance-mode" in deleted or mode):
            raise Failure("datastore is being deleted")
        for key in deleted:
            section.pop(key, None)
        for key, value in options.items():
            if key in KEEPS or key == "prune-schedule":
                raise parameter(key, "datastore prune settings have been replaced by prune jobs", usage=False)
            if key == "gc-on-unmount" and "backing-device" not in section:
                raise parameter(key, "only supported on removable datastores", usage=False)
            section[key] = stored(key, value)
            if key == "comment":
                section[key] = value.strip()
                if not section[key]:
                    del section[key]
        if mode:
            if "," in mode.get("message", ""):
                raise Failure(
                    f"writing \"{SHOWN_ETC}/datastore.cfg\" failed: verify section '{name}' failed - "
                    "parameter verification failed - 'maintenance-mode/type': duplicate key"
                )
            section["maintenance-mode"] = mode["type"] + (",message=" + mode["message"] if mode.get("message") else "")
        write_config("datastore.cfg", sections)
    if style != "text":
        print("null")


def datastore_remove(words: list[str]) -> None:
    options = parse_arguments(words, ["name"], ["keep-job-configs", "destroy-data", "digest"])
    name = options["_name"]
    if not started():
        raise Failure(f'mkstemp "{SHOWN_ETC}/.datastore.tmp_XXXXXX" failed: ENOENT: No such file or directory')
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name not in sections:
            raise Failure(f"datastore '{name}' does not exist.")
        check_digest(options, "datastore.cfg")
        sections[name]["maintenance-mode"] = "delete"
        write_config("datastore.cfg", sections)
        if (RUN / f"busy-{name}").exists():
            # The command line waits for the task, and does not look at how it ended.
            print("TASK ERROR: datastore is currently in use", file=sys.stderr)
            return
        if not boolean(options.get("keep-job-configs", "false")):
            for file in ("prune.cfg", "verification.cfg"):
                jobs = read_config(file)
                write_config(file, {key: job for key, job in jobs.items() if job["store"] != name})
        section = sections.pop(name)
        if boolean(options.get("destroy-data", "false")):
            for entry in (".chunks", ".lock", ".gc-status", "ns", "vm", "ct", "host"):
                where = Path(section["path"]) / entry
                if where.is_dir():
                    shutil.rmtree(where)
                else:
                    where.unlink(missing_ok=True)
        write_config("datastore.cfg", sections)


def job_commands(file: str, allowed: list[str], required: list[str], announce: bool) -> dict[str, Callable[..., None]]:
    lock = file.partition(".")[0]

    def create(words: list[str]) -> None:
        options = parse_arguments(words, ["id"], allowed)
        for key in required:
            if key not in options:
                raise parameter(key, "parameter is missing and it is not optional.")
        identifier = options.pop("_id")
        with Lock(lock):
            jobs = read_config(file)
            if identifier in jobs:
                raise parameter("id", f"job '{identifier}' already exists.", usage=False)
            section = {key: stored(key, value) for key, value in options.items()}
            if section.get("disable") == "false":
                del section["disable"]
            write_config(file, {**jobs, identifier: section})
        job_state(file, identifier)
        if announce:
            print(f"Prune job created: {identifier}", file=sys.stderr)

    def update(words: list[str]) -> None:
        options = parse_arguments(words, ["id"], [*allowed, "delete", "digest"])
        identifier = options.pop("_id")
        for key in options.get("delete", ()):
            if key not in allowed or key in ("store", *required):
                raise parameter("delete", f"value '{key}' is not defined in the enumeration.")
        with Lock(lock):
            jobs = read_config(file)
            if identifier not in jobs:
                raise Failure(f"job '{identifier}' does not exist.")
            check_digest(options, file)
            options.pop("digest", None)
            before = jobs[identifier].get("schedule")
            for key in options.pop("delete", []):
                jobs[identifier].pop(key, None)
            if not options.get("ns"):
                options.pop("ns", None)  # the root is not taken for a change; only --delete gets there
            jobs[identifier].update({key: stored(key, value) for key, value in options.items()})
            if jobs[identifier].get("disable") == "false":
                del jobs[identifier]["disable"]
            write_config(file, jobs)
        if options.get("schedule") != before:
            job_state(file, identifier)

    def remove(words: list[str]) -> None:
        options = parse_arguments(words, ["id"], ["digest"])
        with Lock(lock):
            jobs = read_config(file)
            if options["_id"] not in jobs:
                raise Failure(f"job '{options['_id']}' does not exist.")
            check_digest(options, file)
            del jobs[options["_id"]]
            write_config(file, jobs)

    def show_list(words: list[str]) -> None:
        options = parse_arguments(words, [], ["output-format"])
        jobs = [shown(section, identifier, "id") for identifier, section in read_config(file).items()]
        emit(jobs, options, ["id", "store", "schedule"], "id")

    return {"create": create, "update": update, "remove": remove, "list": show_list}


def job_state(file: str, identifier: str) -> None:
    """A job that is new, or whose schedule counts as changed, begins anew."""
    STATES.mkdir(parents=True, exist_ok=True)
    kind = "prunejob" if file == "prune.cfg" else "verificationjob"
    (STATES / f"{kind}-{identifier}.json").write_text(json.dumps({"created": {"time": int(time.time())}}))


def collect_garbage(words: list[str]) -> None:
    options = parse_arguments(words, ["store"], [])
    connect()
    name = options["_store"]
    sections = read_config("datastore.cfg")
    if name not in sections:
        raise Failure(f"no such datastore '{name}'")
    section = sections[name]
    refuse_maintenance(name, section)
    try:
        check_tuning(section.get("tuning", ""))
    except TaskFailure as failure:
        raise Failure(str(failure)) from None
    path = Path(section["path"])
    open_as_backup(path)

    def worker() -> None:
        print(f"starting garbage collection on store {name}")
        try:
            mark_and_sweep(name, path, section)
        finally:
            print(f"queued notification (id={uuid.uuid4()})")

    task(worker)


def open_as_backup(path: Path) -> None:
    """From here on this is the proxy, which does it all as `backup`."""
    uid, gid = backup_ids()
    os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    try:
        os.stat(path / ".chunks" / ".")
    except PermissionError:
        raise Failure(f'unable to open chunk store at "{path}/.chunks" - Permission denied (os error 13)') from None
    except FileNotFoundError:
        pass  # the proxy has had it open since before


def refuse_maintenance(name: str, section: Section) -> None:
    mode = dict(split_properties(section.get("maintenance-mode", ""), "type"))
    if mode:
        raise Failure(f"datastore '{name}' is unavailable: {mode['type']} maintenance mode: {mode.get('message', '')}")


def mark_and_sweep(name: str, path: Path, section: Section) -> None:
    touched = wants_check(section)
    if touched:
        try:
            check_atime(path)
        except TaskFailure as failure:
            raise TaskFailure(f"atime safety check failed: {failure}") from None
        except FileNotFoundError:
            chunk = path / ".chunks" / ZERO_DIGEST[:4] / ZERO_DIGEST
            raise TaskFailure(
                f"atime safety check failed: inserting chunk on store '{name}' failed for {ZERO_DIGEST} - "
                f'mkstemp "{chunk}.tmp_XXXXXX" failed: ENOENT: No such file or directory'
            ) from None
        print("Access time update check successful, proceeding with GC.")
    else:
        print("Access time update check disabled by datastore tuning options.")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86700))
    print(f"Using access time cutoff 1d 5m, minimum access time is {moment}")
    print("Start GC phase1 (mark used chunks)")
    print("Start GC phase2 (sweep unused chunks)")
    chunks = [entry for prefix in PREFIXES for entry in chunks_below(name, path, f"{prefix:04x}")]
    if chunks:
        print("processed 73% (0 chunks)")
        for percent in range(74, 100):
            print(f"processed {percent}% ({len(chunks)} chunks)")
    size = sum(entry.stat().st_size for entry in chunks)
    used = len(chunks) if touched else 0
    print("Removed garbage: 0 B\nRemoved chunks: 0")
    if chunks and not touched:
        print(f"Pending removals: {size} B (in {len(chunks)} chunks)")
    print(f"Original data usage: 0 B\nOn-Disk chunks: {used}\nDeduplication factor: {0 if used else 1:.2f}")
    if used:
        print(f"Average chunk size: {size // used} B")


def chunks_below(name: str, path: Path, prefix: str) -> list[os.DirEntry]:
    try:
        return [entry for entry in os.scandir(path / ".chunks" / prefix) if len(entry.name) == 64]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TaskFailure(
            f"chunk iterator on chunk store '{name}' failed - unable to read subdir '{prefix}' - {system_error(error)}"
        ) from None


def garbage_status(words: list[str]) -> None:
    options = parse_arguments(words, ["store"], ["output-format"])
    connect()
    name = options["_store"]
    sections = read_config("datastore.cfg")
    if name not in sections:
        raise Failure(f"no such datastore '{name}'")
    if "offline" in sections[name].get("maintenance-mode", ""):
        refuse_maintenance(name, sections[name])
    open_as_backup(Path(sections[name]["path"]))
    counts = ("disk", "pending", "removed")
    status: dict[str, Any] = {f"{word}-{unit}": 0 for word in counts for unit in ("bytes", "chunks")}
    status.update({"index-data-bytes": 0, "index-file-count": 0, "removed-bad": 0, "still-bad": 0})
    emit({**status, "store": name, "upid": None}, options, [], "store")


COMMANDS: dict[str, dict[str, Callable[[list[str]], None]]] = {
    "datastore": {
        "list": datastore_list,
        "show": datastore_show,
        "create": datastore_create,
        "update": datastore_update,
        "remove": datastore_remove,
    },
    "prune-job": job_commands("prune.cfg", PRUNE_OPTIONS, ["store", "schedule"], announce=True),
    "verify-job": job_commands("verification.cfg", VERIFY_OPTIONS, ["store"], announce=False),
    "garbage-collection": {"start": collect_garbage, "status": garbage_status},
}


def main(words: list[str]) -> int:
    os.umask(0o022)
    try:
        if words[:1] == ["version"]:
            version(words[1:])
        elif words[:1] and words[0] in COMMANDS:
            group = COMMANDS[words[0]]
            if words[1:2] and words[1] in group:
                group[words[1]](words[2:])
            else:
                failure = UsageFailure(f"no such command '{''.join(words[1:2])}'\n")
                raise failure
        else:
            raise UsageFailure(f"no such command '{''.join(words[:1])}'\n")
    except Failure as failure:
        print(f"Error: {failure}", file=sys.stderr)
        if failure.usage:
            print("Usage: proxmox-backup-manager <command> ...\n\n(the whole usage text follows)", file=sys.stderr)
        return 255
    return 0


if __name__ == "__main__":
    assert stat.S_ISDIR(ROOT.stat().st_mode)
    # What a worker prints comes as it happens, also to whoever is killed meanwhile.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
