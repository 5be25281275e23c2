# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the observers return about one host, as plain data. Nothing here judges, and nothing here touches a disk.

Every class can be turned into JSON (`dataclasses.asdict`) and back (`load.load`): facts travel over a pipe from the
child that may hang, and into the document.

Conventions: times are nanoseconds since the epoch where the name ends in `_ns`, else seconds; sizes are bytes; modes
are the low twelve bits as an octal string such as "0750"; `None` means "could not be found out", never "no".
Strings that came from a disk are safe to display (see `_system.text`).
"""
