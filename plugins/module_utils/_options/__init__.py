# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules, checked and turned into typed plans.

This is the one place that reads the dictionary that Ansible hands over. Everything behind it takes a plan. Every function
here raises `ValueError` (most often `OptionError`) with a message that names the option and its value, before anything
on the host is changed. A file for each module, so that a module carries only what it needs.
"""
