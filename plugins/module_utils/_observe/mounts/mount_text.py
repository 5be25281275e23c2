# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Syntax that mountinfo, fstab and mount units share: octal escapes, comma lists of options, and secrets in options."""

from __future__ import annotations

import re
import typing as t

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
# A security context may contain commas; the kernel then quotes it.
_OPTION = re.compile(r'(?:"[^"]*"|[^,])+')


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


_SHOWN = _words(
    """
    ac_attr_timeout acdirmax acdirmin acl acregmax acregmin actimeo addr allocsize atime atime_quantum
    attr_timeout barrier blksize blocksize bs bsize cache cache_timeout casesensitive checkpoint clientaddr
    codepage commit compress compress-force compression context cpus credentials data data_err dax deadtime
    debug_want_extra_isize defcontext degraded delay_meta_writes device devid dioread dir_mode direct_io discard
    discard_unit dmask echo_interval entry_timeout errors fd file_mode fmask forcegid forceuid fragment fsc
    fscontext fsid fstype gid group_id grpid grpjquota grpquota handletimeout hard hash huge init_itable
    inline_data inode inode32 inode64 inode_cache inode_readahead_blks iocharset iomode journal_dev
    journal_ioprio journal_path jqfmt local_lock locktype logbsize logbufs logdev lookupcache lower lowerdir
    max_batch_time max_channels max_connect max_credits max_dir_size_kb max_inline max_read max_threads
    metadata_ratio migration min_batch_time minproto mode mountaddr mounthost mountport mountproto mountvers
    mpol multichannel namlen nconnect negative_timeout nls noac nodiratime norecovery nr_blocks nr_inodes
    passwd_file perm port prjquota proto quota ra_expire rasize redirect_dir regular_retention relatime resgid
    resilienthandles resuid retrans retry root rootcontext rootmode rsize sb sec seclabel secretfile size
    smackfsdef softreval space_cache ssd stripe subtype subvol subvolid sunit swalloc swidth thread_pool timeo
    timeshift transport trunkdiscovery tz udp uid umask unit upperdir user_id usrjquota usrquota utf8 uuid
    uuid_debug validatemode verity vers version vmid volumeid workdir wsize x-gvfs-hide x-initrd.mount xino
    xprtsec zone
    """
)
"""Options whose values are shown: numbers, sizes, modes, ids, paths, units, addresses and labels."""

_SYSTEM_PREFIX = "x-systemd."
_FLAG = re.compile(r"[a-z][a-z0-9_.-]*\Z")
_HOST_AND_PATH = re.compile(r"(?:\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):/(?!/)[^?]*\Z")
_HIDDEN = "(hidden)"


def unescape(text: bytes) -> bytes:
    r"""Decode octal escapes such as `\040`; other backslashes stay the same."""
    return _OCTAL.sub(lambda match: bytes((int(match.group(1), 8),)), text)


def split_options(text: str) -> list[str]:
    """The parts of a comma list, in order, without empty ones."""
    return _OPTION.findall(text)


def hide_secrets(options: t.Iterable[str]) -> list[str]:
    """The options, with the values only of those that are known to hold no secret: observations become parts of reports.

    What hides secrets by their names misses those of the next filesystem (`user=me%secret`, `extpass=`,
    `ssh_command=`, `token=`). A secret with a comma goes on as the next option, so what follows a hidden value is hidden
    until an option that is known.
    """
    shown: list[str] = []
    after_hidden = False
    for option in options:
        name, equals, _value = option.partition("=")
        if equals:
            after_hidden = not (name in _SHOWN or name.startswith(_SYSTEM_PREFIX))
            name = name if _FLAG.match(name.lower()) else _HIDDEN
            shown.append(f"{name}={_HIDDEN}" if after_hidden else option)
        elif after_hidden and option not in _FLAGS:
            shown.append(_HIDDEN)
        else:
            after_hidden = False
            shown.append(option)
    return shown


_FLAGS = _words(
    """
    _netdev acl allow_other async atime auto bg cifsacl default_permissions defaults dev diratime dirsync
    discard exec fg forcegid forceuid group hard intr lazytime lock mapposix mfsymlinks noacl noatime noauto
    nobrl nodev nodiratime nodiscard noexec nofail nointr nolazytime nolock noposix norelatime noserverino
    nosharecache nostrictatime nosuid nounix nouser noxattr owner posix relatime ro rw seal serverino soft
    strictatime suid sync user users xattr
    """
)


def hide_secret_in_source(source: str) -> str:
    """The source without user names' passwords, tokens of an address, and parameters (`?sig=`, `remote,pass=…:`)."""
    source, query, _parameters = source.partition("?")
    tail = f"?{_HIDDEN}" if query else ""
    head, comma, rest = source.partition(",")
    if comma and "=" in rest:
        return f"{head},{_HIDDEN}{tail}"
    if "@" not in source or _HOST_AND_PATH.match(source):
        return source + tail
    account, _at, place = source.rpartition("@")
    begin = max(account.find("//") + 2 if "//" in account else 0, account.find("#") + 1)
    before, account = account[:begin], account[begin:]
    user = re.split("[:%]", account, maxsplit=1)[0]
    if before.endswith("://"):
        return f"{before}{_HIDDEN}@{place}{tail}"
    if user != account:
        return f"{before}{user}:{_HIDDEN}@{place}{tail}"
    return f"{before}{account}@{place}{tail}"


def option_value(options: t.Iterable[str], name: str) -> t.Optional[str]:
    """The value of the last `name=value`; an empty string for a bare `name`, None if it is missing."""
    found = None
    for option in options:
        key, _equals, value = option.partition("=")
        if key == name:
            found = value
    return found
