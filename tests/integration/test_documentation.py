# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and tasks of the documentation are run, on a server that is a stand-in with real chunk stores.

Examples that cannot be run here are marked; tests/unit/docs checks that.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fleetops.pbs.tests.support import examples, mounts
from ansible_collections.fleetops.pbs.tests.support.examples import ROOT, Example
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.timeout(900)

SAMPLES = ROOT / "docs/samples"
BIN = Path(sys.executable).parent
TIMEOUT = 600  # seconds; a playbook takes some, and many where the machine has much else to do

# What this machine is not, and a well-kept server is.
NOT_HERE = ("HOST-02", "HOST-03", "MOUNT-02", "MOUNT-08", "MOUNT-11", "CONF-03", "CONF-06")
WAIVERS = [
    {"control": f"PBS-{control}", "justification": "the machine of the tests", "until": "2999-12-31"}
    for control in NOT_HERE
]
DATASTORE_CFG = "datastore: tank\n\tcomment nightly\n\tgc-schedule daily\n\tpath /mnt/datastore/tank\n\ttuning gc-atime-cutoff=1445\n"


class Sandbox:
    """A directory with hosts.yml and a server, where a command of the documentation does what it would do elsewhere."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = FakeHost(directory / "host")
        self.work = directory / "work"
        self.work.mkdir()
        (self.host.etc / "datastore.cfg").write_text(DATASTORE_CFG)
        (self.work / "hosts.yml").write_text(yaml.safe_dump(self.inventory()))
        # What the documentation has on the controller beside the inventory.
        (self.work / "group_vars").mkdir()

    def inventory(self) -> dict[str, Any]:
        directories = {"config_dir": str(self.host.etc), "run_dir": str(self.host.run)}
        everybody = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            **{f"{role}_become": False for role in ("preflight", "repair", "mounts", "datastore")},
            **{f"{role}_{name}": value for role in ("preflight", "repair", "datastore") for name, value in directories.items()},
            "preflight_state_dir": str(self.host.var),
            "repair_state_dir": str(self.host.var),
            "mounts_config_dir": str(self.host.etc),
            "datastore_manager": str(self.host.manager),
            "preflight_waivers": WAIVERS,
        }  # fmt: skip
        return {"pbs": {"hosts": {"pbs1": {}}, "vars": everybody}}

    def environment(self, **more: str) -> dict[str, str]:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        (home / "ansible.cfg").touch()
        return {
            "PATH": os.pathsep.join([str(BIN), "/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_GALAXY_SERVER_LIST": "",
            **more,
        }

    def run(self, argv: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.work,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )


@pytest.fixture
def mnt(loopfs: Callable[..., Path], overlay: Callable[..., Path]) -> Path:
    """A disk at /mnt, and an /etc that may be written to; no other process sees them."""
    overlay(Path("/etc"), point=Path("/etc"))
    mkfs = ["-b", "1024", "-N", "160000", "-m", "0", "-O", "^has_journal"]
    return loopfs("ext4", mkfs=mkfs, size=480 * mounts.MIB, point=Path("/mnt"))


@pytest.fixture
def sandbox(tmp_path: Path, mnt: Path) -> Sandbox:
    (mnt / "datastore").mkdir()
    make_chunk_store(mnt / "datastore/tank", prefixes=64, chunks=64).add_snapshot("vm/100")
    return Sandbox(tmp_path)


# --- the commands of pages --------------------------------------------------------------------------------------------


def commands_to_run() -> Iterator[tuple[Example, str]]:
    """Each command once; the order of the pages, which is that of somebody who reads them."""
    seen = set()
    for example in examples.page_examples():
        if example.language != "shell" or example.mark:
            continue
        for command in examples.commands(example.text):
            if command not in seen:
                seen.add(command)
                yield example, command


def outcome(sandbox: Sandbox, command: str) -> str:
    """What is wrong with a command, or nothing."""
    argv = shlex.split(command)
    if argv[0] == "ansible-playbook":
        done = sandbox.run(argv)
    elif argv[0] == "ansible-galaxy":
        done = install(sandbox, argv)
    elif argv[0] == "make":
        # The targets have tests of their own; here it is enough that they are there.
        done = subprocess.run(
            [*argv, "-n"], cwd=ROOT, capture_output=True, text=True, check=False, env=sandbox.environment()
        )
    elif argv[0] == "sqlite3":
        with sqlite3.connect(sandbox.work / argv[1]) as connection:
            connection.execute(argv[2]).fetchall()
        return ""
    elif argv[0] == "read":
        done = sandbox.run(["bash", "-c", command])
        line = (sandbox.work / "results/report/status.txt").read_text().strip()
        return "" if line.startswith(f"{done.returncode} ") and done.stdout.strip() in line else done.stdout
    else:
        done = sandbox.run(argv)
    return "" if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def install(sandbox: Sandbox, argv: list[str]) -> subprocess.CompletedProcess[str]:
    """As from Galaxy, but from the artefact, and without the dependency."""
    built = sandbox.directory / "built"
    place = str(sandbox.directory / "installed")
    argv = [*argv, "--no-deps", "--offline", "--collections-path", place]
    sandbox.run(["ansible-galaxy", "collection", "build", "--output-path", str(built), str(ROOT)])
    (artefact,) = built.glob("*.tar.gz")
    requirements = sandbox.work / "requirements.yml"
    requirements.write_text(yaml.safe_dump({"collections": [{"name": str(artefact), "type": "file"}]}))
    shutil.rmtree(place, ignore_errors=True)  # the one before has installed it already
    words = [str(artefact) if word == examples.COLLECTION else word for word in argv]
    done = sandbox.run(words, ANSIBLE_COLLECTIONS_PATH=place)
    installed = sandbox.directory / "installed/ansible_collections/fleetops/pbs"
    for sample in ("docs/samples/systemd/fleetops-pbs-preflight.timer", "extensions/eda/rulebooks/gc_failed.yml"):
        assert (installed / sample).exists()
    return done


# test_a_fleet_is_written_down_as_it_is runs these.
ADOPT = "fleetops.pbs.adopt"
ADOPTED = "ansible-playbook -i hosts.yml fleetops.pbs.provision --check --diff"


@pytest.mark.root
def test_the_commands_of_the_pages(sandbox: Sandbox) -> None:
    found, wrong = 0, []
    for example, command in commands_to_run():
        if command == ADOPTED or ADOPT in command.split():
            continue
        if "fleetops.pbs.report" in command:
            slices_of(sandbox, "results/report/report.json")
        said = outcome(sandbox, command.replace("/var/lib/prometheus", str(sandbox.directory / "prometheus")))
        found += 1
        if said:
            wrong.append(f"{example}: {command}\n{said}")
    assert not wrong, "\n\n".join(wrong)
    assert found > 15
    (sandbox.directory / "prometheus/node-exporter/metrics.prom").read_text()


def slices_of(sandbox: Sandbox, report: str) -> None:
    """What somebody has who merges: the documents of one slice, the report of another."""
    slices = sandbox.work / "slices"
    if not slices.exists():
        shutil.copytree(sandbox.work / "results", slices / "eu")
        (slices / "us").mkdir()
        shutil.copy(sandbox.work / report, slices / "us")


@pytest.mark.root
def test_a_fleet_is_written_down_as_it_is(sandbox: Sandbox) -> None:
    """docs/adopting.md: the playbook adopt, and that provisioning then has nothing to do."""
    command = "ansible-playbook -i hosts.yml fleetops.pbs.adopt"
    assert command in (ROOT / "docs/adopting.md").read_text()
    directories = {"config_dir": sandbox.host.etc, "state_dir": sandbox.host.var}
    here = [f"-eadopt_{name}={path}" for name, path in directories.items()] + ["-eadopt_become=false"]
    path = sandbox.work / "host_vars/pbs1/pbs.yml"
    first = sandbox.run([*shlex.split(command), *here, "--check", "--diff"])
    assert (first.returncode, path.exists()) == (0, False), first.stdout + first.stderr
    assert "+  - name: tank" in first.stdout
    written = sandbox.run([*shlex.split(command), *here])
    assert written.returncode == 0, written.stdout + written.stderr
    assert path.stat().st_mode & 0o777 == 0o640
    declared = yaml.safe_load(path.read_text())
    assert {name: entries for name, entries in declared.items() if entries} == {
        "pbs_datastores": [
            {
                "name": "tank",
                "path": "/mnt/datastore/tank",
                "gc_schedule": "daily",
                "comment": "nightly",
                "tuning": {"gc_atime_cutoff": 1445},
                "mount": {"path": "/mnt", "fstype": "ext4"},
            }
        ]
    }
    again = sandbox.run([*shlex.split(command), *here])
    assert re.search(r"pbs1 +: .*changed=0 ", again.stdout), again.stdout
    checked = sandbox.run(shlex.split(ADOPTED))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert re.search(r"pbs1 +: .*changed=0 ", checked.stdout), checked.stdout
    # What somebody wrote stays.
    path.write_text("pbs_datastores: []\n")
    kept = sandbox.run([*shlex.split(command), *here])
    assert (kept.returncode, path.read_text()) == (0, "pbs_datastores: []\n"), kept.stdout + kept.stderr
    assert "exists and differs from the configuration of this host" in kept.stdout
    forced = sandbox.run([*shlex.split(command), *here, "-eadopt_overwrite=true"])
    assert (forced.returncode, "tank" in path.read_text()) == (0, True), forced.stdout + forced.stderr


@pytest.mark.root
def test_slices_of_awx_become_one_report(sandbox: Sandbox) -> None:
    """docs/awx.md: its playbooks and variables, with the variables that AWX adds, on an inventory that is cut in two."""
    blocks = [e.text for e in examples.blocks(ROOT / "docs/awx.md") if e.language == "yaml"]
    preflight, report, of_preflight, of_report = (text.replace("/srv/pbs", str(sandbox.directory)) for text in blocks)
    (sandbox.work / "preflight.yml").write_text(preflight)
    (sandbox.work / "report.yml").write_text(report)
    (sandbox.work / "of_preflight.yml").write_text(of_preflight)
    (sandbox.work / "of_report.yml").write_text(of_report)
    down = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    slices = {"hosts.yml": 0, "down.yml": 2}
    inventory = sandbox.inventory()
    inventory["pbs"]["hosts"] = {"pbs2": down}
    (sandbox.work / "down.yml").write_text(yaml.safe_dump(inventory))
    for number, (file, code) in enumerate(slices.items()):
        job = json.dumps({"awx_job_id": 100 + number, "awx_workflow_job_id": 99})
        done = sandbox.run(["ansible-playbook", "-i", file, "preflight.yml", "-e", "@of_preflight.yml", "-e", job])
        assert done.returncode == code, done.stdout + done.stderr
    job = json.dumps({"awx_job_id": 102, "awx_workflow_job_id": 99})
    done = sandbox.run(["ansible-playbook", "report.yml", "-e", "@of_report.yml", "-e", job])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (sandbox.directory / "history.sqlite").exists()
    made = json.loads((sandbox.directory / "report/report.json").read_text())
    assert [host["host"] for host in made["hosts"]] == ["pbs1", "pbs2"]
    assert (made["totals"]["hosts"], made["totals"]["hosts_without_document"]) == (2, 1)


# --- the examples of modules and roles --------------------------------------------------------------------------------


def as_here(sandbox: Sandbox, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks with what makes them reach the stand-in, and nothing else changed."""
    directories = {"config_dir": str(sandbox.host.etc), "run_dir": str(sandbox.host.run)}
    here = {**directories, "state_dir": str(sandbox.host.var), "manager": str(sandbox.host.manager)}
    for task in tasks:
        (name,) = [key for key in task if key.count(".") >= 2]
        task.pop("become", None)
        if name.startswith("fleetops.pbs."):
            options = examples.modules()[name]["doc"]["options"]
            task[name] = {**{key: value for key, value in here.items() if key in options}, **(task[name] or {})}
        if name == "fleetops.pbs.preflight" and "waivers" not in task[name]:
            task[name]["waivers"] = WAIVERS
    return tasks


# Each after what it needs: read, checked, judged, repaired, reported; then jobs and datastores, made and removed.
ORDER = [
    "datastore_info",
    "atime_check",
    "preflight",
    "chunk_ownership",
    "report",
    "prune_job",
    "verify_job",
    "traffic_control",
    "notification_target",
    "notification_matcher",
    "adopt",
    "datastore",
]
ELSEWHERE = {"remote", "s3_endpoint", "sync_job"}
"""Their examples need another server, a bucket or a second datastore; test_offsite.py has all of these."""
SECRETS = {"vault_smtp_password": "neutral", "vault_chat_token": "neutral"}


def steps_before(sandbox: Sandbox, module: str, number: int) -> list[str]:
    """What somebody has done before the example of that number."""
    if module == "report":
        made = {0: "cp results/preflight/pbs1.json results/", 1: "cp results/report/report.json archive/2026-10/"}
        return [made[number]]
    if module == "datastore" and number == 0:
        return ["mv /mnt/datastore/tank /mnt/old", f"rm {sandbox.host.etc}/datastore.cfg"]
    return []


@pytest.mark.root
def test_the_examples_of_the_modules(sandbox: Sandbox, mnt: Path) -> None:
    assert {f"fleetops.pbs.{name}" for name in (*ORDER, *ELSEWHERE)} == set(examples.modules())
    sandbox.host.configure(prefixes=64)
    (mnt / "nas/pbs").mkdir(parents=True)
    (mnt / "nas/pbs").chmod(0o777)
    for directory in ("slices/one/results", "archive/2026-10"):
        (sandbox.work / directory).mkdir(parents=True)
    plays = []
    for name in ORDER:
        tasks: list[dict[str, Any]] = []
        for number, task in enumerate(yaml.safe_load(examples.modules()[f"fleetops.pbs.{name}"]["examples"])):
            if {"backing_device", "backend"} & set(task.get("fleetops.pbs.datastore") or {}):
                continue  # needs a disk or a bucket, which other tests have
            steps = steps_before(sandbox, name, number)
            tasks += [{"ansible.builtin.command": {"cmd": step, "chdir": str(sandbox.work)}} for step in steps]
            tasks += as_here(sandbox, [task])
        plays.append({"name": name, "hosts": "pbs", "gather_facts": False, "vars": SECRETS, "tasks": tasks})
    (sandbox.work / "examples.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    argv = ["ansible-playbook", "-i", "hosts.yml", "examples.yml"]
    done = sandbox.run(argv, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    result = json.loads(done.stdout[done.stdout.index("{\n") :])
    failures = [
        f"{play['play']['name']}: {task['task']['name']}: {host.get('msg')} {host.get('stderr', '')}"
        for play in result["plays"]
        for task in play["tasks"]
        for host in task["hosts"].values()
        if host.get("failed")
    ]
    assert failures == []
    assert done.returncode == 0, done.stderr
    # The last examples take the datastore out of PBS and keep what is in it.
    assert "tank" not in sandbox.host.config()
    assert (mnt / "datastore/tank/.chunks/bb9f").is_dir()


@pytest.mark.root
def test_the_examples_of_the_roles(sandbox: Sandbox) -> None:
    """Run where this machine has what they need, else as far as their syntax."""
    here, elsewhere = [], []
    for name in ("preflight", "repair", "report", "mounts", "datastore"):
        text = examples.roles()[f"fleetops.pbs.{name}"]["examples"]
        (elsewhere if examples.mark_within(text) else here).append((name, text))
    assert [name for name, _text in elsewhere] == ["mounts"]
    slices = "mkdir -p slices/eu slices/us; cp results/*.json slices/eu; cp results/report/report.json slices/us"
    plays = []
    for name, text in here:
        if name == "report":
            tasks = [{"ansible.builtin.command": {"argv": ["sh", "-c", slices], "chdir": str(sandbox.work)}}]
            plays.append({"hosts": "pbs", "gather_facts": False, "tasks": tasks})
        plays += yaml.safe_load(text)
    for file, content, more in (
        ("here.yml", plays, []),
        ("elsewhere.yml", yaml.safe_load(elsewhere[0][1]), ["--syntax-check"]),
    ):
        (sandbox.work / file).write_text(yaml.safe_dump(content, sort_keys=False))
        done = sandbox.run(["ansible-playbook", "-i", "hosts.yml", *more, file])
        assert done.returncode == 0, done.stdout + done.stderr


# --- samples ----------------------------------------------------------------------------------------------------------


def test_the_execution_environment_has_a_build_context(tmp_path: Path) -> None:
    context = tmp_path / "context"
    file = SAMPLES / "execution-environment/execution-environment.yml"
    # The name of the file would go by which container engine this machine has.
    argv = ["create", "--file", str(file), "--context", str(context), "--output-filename", "Containerfile"]
    subprocess.run([sys.executable, "-m", "ansible_builder", *argv], check=True, capture_output=True, cwd=tmp_path)
    container = (context / "Containerfile").read_text()
    assert 'ANSIBLE_INSTALL_REFS="ansible-core>=2.19' in container
    assert yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"] == [
        {"name": "fleetops.pbs"}
    ]


def test_the_collection_adds_nothing_to_an_execution_environment(tmp_path: Path) -> None:
    target = tmp_path / "ansible_collections/fleetops/pbs"
    (target / "meta").mkdir(parents=True)
    shutil.copy(ROOT / "meta/execution-environment.yml", target / "meta")
    shutil.copy(ROOT / "galaxy.yml", target)
    done = subprocess.run(
        [sys.executable, "-m", "ansible_builder", "introspect", "--sanitize", str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert yaml.safe_load(done.stdout) == {"python": [], "system": []}


def test_the_rulebook_starts_a_preflight_of_the_host_that_the_page_names() -> None:
    (rulebook,) = yaml.safe_load((ROOT / "extensions/eda/rulebooks/gc_failed.yml").read_text())
    page = ROOT / "docs/event_driven.md"
    (body,) = [json.loads(e.text) for e in examples.blocks(page) if e.language == "json"]
    ((_name, source),) = [(k, v) for k, v in rulebook["sources"][0].items() if k.startswith("eda.")]
    (rule,) = rulebook["rules"]
    conditions = set(re.findall(r"event\.payload\.(\w+)", rule["condition"]))
    assert conditions <= set(body)
    # Without a name the limit would be empty, and the play would be of every host.
    assert "event.payload.host is defined" in rule["condition"]
    assert rulebook["sources"][0]["filters"] == [{"eda.builtin.insert_hosts_to_meta": {"host_path": "payload.host"}}]
    playbook = rule["action"]["run_playbook"]
    assert (ROOT / "playbooks" / (playbook["name"].removeprefix("fleetops.pbs.") + ".yml")).exists()
    assert set(playbook["extra_vars"]) <= set(examples.variables())
    (variables,) = [yaml.safe_load(e.text) for e in examples.blocks(page) if e.language == "yaml"]
    used = set(re.findall(r"gc_failed_\w+", json.dumps([source, playbook])))
    assert used == set(variables)


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((SAMPLES / "systemd" / name).read_text().replace("\\\n", " "))
    return parser


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, with the program of this environment in the place of the distribution's."""
    found = []
    for source in sorted((SAMPLES / "systemd").iterdir()):
        target = tmp_path / source.name
        target.write_text(source.read_text().replace("/usr/bin/ansible-playbook", str(BIN / "ansible-playbook")))
        found.append(str(target))
    return found


@pytest.mark.root
def test_systemd_understands_the_units(units: list[str]) -> None:
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [Path(name).suffix for name in units] == [".service", ".timer"]


@pytest.mark.root
def test_the_service_does_what_it_says(sandbox: Sandbox) -> None:
    service = unit("fleetops-pbs-preflight.service")["Service"]
    text = (SAMPLES / "systemd/fleetops-pbs-preflight.service").read_text()
    state = sandbox.directory / "state"
    (state / "fleetops-pbs").mkdir(parents=True)
    settings = re.findall(r"^Environment=(.*)$", text, re.M)
    environment = dict(item.split("=", 1) for line in settings for item in shlex.split(line.replace("%S", str(state))))
    options = {
        "preflight_config_dir": str(sandbox.host.etc),
        "preflight_state_dir": str(sandbox.host.var),
        "preflight_waivers": WAIVERS,
        "ansible_python_interpreter": sys.executable,
    }
    command = shlex.split(service["ExecStart"].replace("%H", "pbs7").replace("$OPTIONS", ""))
    command = [str(BIN / "ansible-playbook"), *command[1:], "-e", json.dumps(options)]
    done = subprocess.run(
        command,
        cwd=state / "fleetops-pbs",
        env={**sandbox.environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((state / "fleetops-pbs/results/pbs7.json").read_text())
    assert document["host"] == "pbs7"
    assert [found["name"] for found in document["datastores"]] == ["tank"]
    # Nothing of Ansible's lands anywhere else.
    assert not (sandbox.directory / "home/.ansible").exists()
    # A namespace of its own would show the service other mounts than those of PBS.
    own_mounts = ("Protect", "Private", "ReadOnly", "ReadWrite", "Inaccessible", "TemporaryFileSystem", "Bind", "Root")
    assert [key for key in service if key.startswith(own_mounts)] == []
