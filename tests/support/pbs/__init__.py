# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An imitation of PBS, for tests: its files, its command line, its garbage collection, verification and pruning.

rules, formats    what PBS knows: names, modes, file formats, the rules of garbage collection, forms of states and logs
store             makes chunk stores and snapshots as PBS leaves them
garbage, verify, prune
                  PBS's tasks on a store: what they decide, change and report, down to the texts of their errors
environment, configuration, arguments, properties, tasks, manager
                  proxmox-backup-manager, for modules and roles; `python3 -I tests/support/pbs WORDS` runs it
host              a host of a test, with configuration, state and that program
proxy, client     the daemon at work beside a test: backups, pruning, verification and garbage collection in one process

It is the oracle that the collection is tested against, so it shares no parser and no rule with the collection: a wrong
rule that both used would not be noticed. Its own rules are held against published byte vectors and against what real
PBS 4.2.0 and 4.2.3 answered (tests/unit/support/pbs). Only `host`, `proxy` and `client`, which are the test's end of it,
use the collection's own helpers, and only for changing the user and for dying with the parent.

What `manager` needs is standard library of Python 3.9 and imports nothing but this directory: it is copied to hosts.
"""
