# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts that the observers return about one host, as plain data. Nothing here judges or touches a disk.

Every class can be converted to JSON (`dataclasses.asdict`) and back (`load.load`): facts go over a pipe from a child that
may hang, and into the document.

Conventions: times are nanoseconds since the epoch if the name ends in `_ns`, else seconds; sizes are bytes; modes are the
low twelve bits as an octal string, for example "0750"; `None` means "could not be found out", never "no". Strings from a
disk are safe to show (see `_system.text`).
"""
