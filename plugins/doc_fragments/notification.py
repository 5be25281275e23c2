# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of traffic control rules and of notifications, shared by the modules that manage one entry and by the lists of all."""

from __future__ import annotations

import textwrap

_TRAFFIC_CONTROL = r"""
network:
  description: Networks of the clients to which the rule applies, for example V(192.0.2.0/24). Required to create a rule.
  type: list
  elements: str
rate_in:
  description: Limit for incoming traffic in bytes per second, for example V(10MB) or V(8MiB).
  type: str
rate_out:
  description: Limit for outgoing traffic in bytes per second.
  type: str
burst_in:
  description: Size of a burst of incoming traffic that may exceed the limit, in bytes.
  type: str
burst_out:
  description: Size of a burst of outgoing traffic that may exceed the limit, in bytes.
  type: str
timeframe:
  description: Times at which the rule applies, for example V(mon..fri 8-17). Without any it always applies.
  type: list
  elements: str
users:
  description: Users to whose requests the rule applies. Such a rule overrides rules that have only networks. Since PBS 4.1.
  type: list
  elements: str
comment:
  description: One line of at most 128 characters.
  type: str
"""

_TARGET = r"""
type:
  description: How to send. Required to create a target. PBS cannot change it.
  type: str
  choices: [gotify, sendmail, smtp, webhook]
comment:
  description: One line of at most 128 characters.
  type: str
disable:
  description: Whether the target is disabled.
  type: bool
mailto:
  description:
    - Recipients by mail address, for V(sendmail) and V(smtp).
    - These targets need at least one recipient, in C(mailto) or in C(mailto_user).
  type: list
  elements: str
mailto_user:
  description: Recipients by user of PBS, for V(sendmail) and V(smtp), for example V(root@pam). PBS knows their addresses.
  type: list
  elements: str
from_address:
  description: Sender address, for V(sendmail) and V(smtp). Required to create an V(smtp) target.
  type: str
author:
  description: Name of the sender, for V(sendmail) and V(smtp).
  type: str
server:
  description:
    - "For V(smtp): host name or address of the relay. For V(gotify): URL of the server. Required to create these targets."
  type: str
port:
  description: Port of the relay, for V(smtp). By default 465, 587 or 25, by C(mode).
  type: int
mode:
  description: Encryption of the connection, for V(smtp). PBS uses V(tls) by default, and cannot unset it.
  type: str
  choices: [insecure, starttls, tls]
username:
  description: User name at the relay, for V(smtp). Without one PBS does not authenticate.
  type: str
password:
  description: Password at the relay, for V(smtp). A secret; see C(update_secret).
  type: str
token:
  description: Token of the application, for V(gotify). Required to create such a target. A secret; see C(update_secret).
  type: str
url:
  description: URL of the request, for V(webhook). Required to create such a target. It may be a template of PBS.
  type: str
method:
  description: Method of the request, for V(webhook). Required to create such a target.
  type: str
  choices: [post, put, get]
headers:
  description:
    - Headers of the request by name, for V(webhook). They replace all present headers.
    - Values may be templates of PBS. Do not put secrets here; refer to C(secrets) with a template.
  type: dict
body:
  description: Body of the request, for V(webhook). It may be a template of PBS.
  type: str
secrets:
  description:
    - Secrets by name, for V(webhook). Templates of PBS use them as C({{ secrets.NAME }}); mark such a text as C(!unsafe), or
      Ansible evaluates it first.
    - Names are compared, values are not; see C(update_secret). A name with the value null keeps the value that PBS has.
      Secrets that are not named are removed.
  type: dict
"""

_MATCHER = r"""
comment:
  description: One line of at most 128 characters.
  type: str
disable:
  description: Whether the matcher is disabled.
  type: bool
mode:
  description: Whether all conditions must match, which is the default of PBS, or any.
  type: str
  choices: [all, any]
invert_match:
  description: Whether to invert the result of all conditions together.
  type: bool
match_field:
  description:
    - Conditions on fields of the notification, V(exact:FIELD=VALUE) or V(regex:FIELD=EXPRESSION), for example V(exact:type=gc).
    - An exact condition may name several values, joined by commas.
  type: list
  elements: str
match_severity:
  description: Severities, each one or several of V(info), V(notice), V(warning), V(error) and V(unknown), joined by commas.
  type: list
  elements: str
match_calendar:
  description: Times, for example V(mon..fri 8-17).
  type: list
  elements: str
target:
  description: Targets that get the matching notifications. They must exist.
  type: list
  elements: str
"""

_UPDATE_SECRET = r"""
update_secret:
  description:
    - V(on_create) sets a secret only if PBS has none.
    - V(always) sets it in every run, which is then reported as a change, because PBS does not say what the secret was.
  type: str
  choices: [on_create, always]
  default: on_create
"""

_NAME = r"""
name:
  description: Name, unique on the host.
  type: str
  required: true
"""


def _within(text: str, spaces: int) -> str:
    return textwrap.indent(text.strip("\n"), " " * spaces)


def _list(text: str, option: str, what: str) -> str:
    return f"""
options:
  {option}:
    description:
      - The declared {what}. Those that PBS has and that are not declared are not compared.
      - Options that you omit are not compared, and secrets are not either.
    type: list
    elements: dict
    suboptions:
{_within(_NAME, 6)}
{_within(text, 6)}
"""


class ModuleDocFragment:
    # One entry: options of the modules.
    TRAFFIC_CONTROL: str = f"options:\n{_within(_TRAFFIC_CONTROL, 2)}\n"
    TARGET: str = f"options:\n{_within(_TARGET, 2)}\n"
    MATCHER: str = f"options:\n{_within(_MATCHER, 2)}\n"

    # All entries: the variables pbs_traffic_controls, pbs_notification_targets and pbs_notification_matchers.
    TRAFFIC_CONTROLS: str = _list(_TRAFFIC_CONTROL, "traffic_controls", "traffic control rules")
    TARGETS: str = _list(f"{_TARGET}{_UPDATE_SECRET}", "notification_targets", "targets of notifications")
    MATCHERS: str = _list(_MATCHER, "notification_matchers", "matchers of notifications")
