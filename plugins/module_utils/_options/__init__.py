# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules, checked and turned into typed plans.

Only this package reads the dictionary of options from Ansible; all other code takes a plan. Every function here raises
`CollectionError` (most often `OptionError`) with a message that names the option and its value, before any change on the
host. There is one file per module, so that Ansible sends a module only what it needs.
"""
