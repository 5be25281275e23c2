# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.zfs import (
    PROPERTIES,
    Dataset,
    list_datasets,
    observe_zfs,
    observe_zfs_datasets,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer

TANK = "".join(
    f"tank/pbs\t{name}\t{value}\n"
    for name, value in zip(PROPERTIES, ["off", "on", "on", "/mnt/my pbs", "off", "yes", "0", "1073741824"])
)


class Zfs:
    """Stands in for the program: answers, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []

    def __call__(self, argv, timeout):
        assert timeout > 0
        self.asked.append(list(argv))
        return self.answer


def test_the_properties_of_a_dataset():
    zfs = Zfs(Answer(0, TANK))
    facts = observe_zfs("tank/pbs", zfs)
    assert (facts.dataset, facts.error) == ("tank/pbs", "")
    assert facts.properties == {
        "atime": "off",
        "relatime": "on",
        "canmount": "on",
        "mountpoint": "/mnt/my pbs",
        "readonly": "off",
        "mounted": "yes",
        "quota": "0",
        "refquota": "1073741824",
    }
    assert zfs.asked == [["zfs", "get", "-Hp", "-o", "name,property,value", ",".join(PROPERTIES), "tank/pbs"]]


def test_no_answer_where_zfs_is_not_installed():
    assert observe_zfs("tank/pbs", Zfs(Answer(error="zfs: ENOENT: No such file or directory", missing=True))) is None


def test_the_real_program_or_none():
    facts = observe_zfs("no-such-pool/no-such-dataset")
    assert facts is None or facts.error


def test_what_zfs_says_against_it():
    facts = observe_zfs("tank/x", Zfs(Answer(1, "", "zfs: cannot open 'tank/x': dataset does not exist")))
    assert facts.properties == {}
    assert "does not exist" in facts.error


def test_several_datasets_cost_one_call():
    zfs = Zfs(Answer(1, TANK + "\n\tgarbage\n", "zfs: cannot open 'tank/x'"))
    facts = observe_zfs_datasets(["tank/pbs", "tank/x", "tank/pbs"], zfs)
    assert len(zfs.asked) == 1
    assert zfs.asked[0][-2:] == ["tank/pbs", "tank/x"]
    assert facts["tank/pbs"].error == ""
    assert facts["tank/pbs"].properties["atime"] == "off"
    assert facts["tank/x"].error == "zfs: cannot open 'tank/x'"


def test_no_datasets_cost_nothing():
    zfs = Zfs(Answer(0, ""))
    assert observe_zfs_datasets([], zfs) == {}
    assert zfs.asked == []


def test_the_datasets_of_a_host():
    assert list_datasets(Zfs(Answer(0, "tank\tnone\toff\ntank/pbs\t/mnt/a\ton\nbad line\n"))) == [
        Dataset("tank", "none", "off"),
        Dataset("tank/pbs", "/mnt/a", "on"),
    ]
    assert list_datasets(Zfs(Answer(error="zfs: no answer in 10 s"))) == []
