# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives one target with atheris; run.py starts it. usage: worker.py TARGET LIBFUZZER-ARGUMENTS..."""

from __future__ import annotations

import atexit
import sys

import atheris

with atheris.instrument_imports(include=["ansible_collections.fleetops.pbs.plugins"]):
    from ansible_collections.fleetops.pbs.tests.fuzz import targets

name = sys.argv.pop(1)
atexit.register(targets.clean)
atheris.Setup(sys.argv, targets.TARGETS[name].run)
atheris.Fuzz()
