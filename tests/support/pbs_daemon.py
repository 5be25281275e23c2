# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The former name of pbs/client.py and pbs/proxy.py."""

from ansible_collections.fleetops.pbs.tests.support.pbs.client import PbsDaemon, as_backup, pbs_daemon  # noqa: F401
from ansible_collections.fleetops.pbs.tests.support.pbs.proxy import Proxy, fill  # noqa: F401
