# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at random moments.

SIGKILL, which nobody can prepare for, hits one process of a run: the module, the one that minds its work, the work, a
child at the datastore, or Ansible. What was begun goes on or ends by itself; the next run finds the data as it was,
and leaves nothing of the killed one. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._chunk_ownership import chunk_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._long_run import Job
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import AtimeProbe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import PRIVATE_PREFIX
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.tests.support import ansible_run
from ansible_collections.fleetops.pbs.tests.support.findings import finding
from ansible_collections.fleetops.pbs.tests.support.machine import open_way
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS, REPAIR_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_CHUNK, backup_ids, make_chunk_store
from ansible_collections.fleetops.pbs.tests.support.processes import ended, nursery
from ansible_collections.fleetops.pbs.tests.support.ssh_fleet import hold_work, kill, ssh_clients, ssh_fleet
from ansible_collections.fleetops.pbs.tests.support.waiting import until

pytestmark = pytest.mark.root

DEADLINE = 30.0
"""Seconds after which a run gives up what does not answer: less than it is waited for at its end."""
PLANS = ("preflight", "preflight with a marker", "repair")

# By the distance from the module: each starts the next.
ROLES = {0: "the module", 1: "the one that minds the work", 2: "the work", 3: "a child at the datastore"}


@pytest.fixture
def store(tmpfs):
    store = make_chunk_store(tmpfs("size=64m,mode=755,nr_inodes=100k"), prefixes=64, chunks=600)
    store.add_snapshot("vm/100")
    return store


def snapshot(store):
    """Everything there is, by path: what it holds, whose it is, its mode, its times."""
    found = {}
    for directory, directories, files in os.walk(store.path):
        for name in [*directories, *files]:
            path = Path(directory, name)
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
            found[str(path.relative_to(store.path))] = {
                "content": content,
                "owner": (status.st_uid, status.st_gid),
                "mode": stat.S_IMODE(status.st_mode),
                # Reading above may move the access time; nothing here depends on it.
                "mtime": None if content is None else status.st_mtime_ns,
            }
    return found


def make_wrong(store, rng):
    """Give a third of the chunks away, half of these closed to their right owner."""
    for path in store.chunks.glob("*/*"):
        if rng.random() < 0.33:
            os.chown(path, rng.choice((0, 1000)), rng.choice((0, 34)))
            path.chmod(rng.choice((0o644, 0o000)))


def work_of(plan, store, config):
    """The module's work, as the module gives it to a job."""
    common = {"deadline": DEADLINE, "stall": DEADLINE, "config_dir": str(config)}
    if plan == "repair":
        repair = {**REPAIR_OPTIONS, **common, "path": str(store.path)}
        return lambda report: chunk_ownership(repair, False, report)
    params = {**PREFLIGHT_OPTIONS, **common, "datastores": [{"name": "tank", "path": str(store.path)}]}
    params.update(probe="marker" if "marker" in plan else "private", state_dir=str(config), run_dir=str(config))
    return lambda report: {"document": preflight(params, False, report).document}


def module(plan, store, tmp_path):
    """A module that runs this way, until its end; its result goes into a file."""
    work = work_of(plan, store, tmp_path / "etc")
    result = Job("j%d.pbs" % random.SystemRandom().randrange(10**9), str(tmp_path / "jobs"), 60.0).run(work)
    # At once: this process may be the one that is killed.
    (tmp_path / "whole").write_text(json.dumps(result))
    (tmp_path / "whole").rename(tmp_path / "result")


def age(directory):
    """Let the hour pass after which nobody asks for a result."""
    for path in directory.iterdir():
        os.utime(path, (time.time() - 7200,) * 2)


def strike(hit, processes):
    """SIGKILL for one process. Those below it behave as on a dead server: they do not notice, nor end by themselves.

    But for programs of the system that were asked something, which are other programs than ours.
    """
    hanging = []
    if hit.depth > 1:
        above = {hit.pid}
        for process in processes:
            if process.parent in above:
                above.add(process.pid)
                if process.command == hit.command:
                    hanging.append(process.pid)
    with contextlib.suppress(ProcessLookupError):
        for pid in hanging:
            os.kill(pid, signal.SIGSTOP)
    with contextlib.suppress(ProcessLookupError):
        os.kill(hit.pid, signal.SIGKILL)
    for pid in hanging:
        with contextlib.suppress(ProcessLookupError):
            # One that was born this moment has not yet asked to die with its parent, and looks for itself. What comes
            # after that is a session of its own for a child at the datastore, and children for the work.
            if os.getsid(pid) != pid and pid not in {process.parent for process in processes}:
                os.kill(pid, signal.SIGCONT)


def run_to_the_end(plan, store, tmp_path):
    (tmp_path / "result").unlink(missing_ok=True)
    started = time.monotonic()
    with nursery(lambda: module(plan, store, tmp_path), output=tmp_path / "output") as run:
        run.wait()
    return json.loads((tmp_path / "result").read_text()), time.monotonic() - started


def check_answer(plan, result):
    """What a run says of which a process was killed: it may not know, but it must not report what is wrong."""
    if result.get("failed"):
        assert result["msg"]
        return "said so"
    if plan == "repair":
        assert result["complete"]
        return "was done by then"
    statuses = {
        finding(result["document"], control, "tank")["status"]
        for control in ("PBS-ATIME-01", "PBS-ATIME-02", "PBS-OWNER-01", "PBS-OWNER-03", "PBS-OWNER-05")
    }
    assert statuses <= {"pass", "unknown"}
    return "said unknown" if "unknown" in statuses else "was done by then"


@pytest.mark.parametrize("plan", PLANS)
def test_a_process_of_the_module_is_killed(campaign, store, tmp_path, plan):
    trial = campaign(
        f"SIGKILL of one process of a module at a random moment: {plan}",
        "what is left of the run ends by itself and says nothing wrong; the next run leaves no probe file, no temporary "
        "chunk, no process and no job file, and the data is as before",
    )
    rng = random.Random(PLANS.index(plan))
    (tmp_path / "jobs").mkdir()
    (tmp_path / "etc").mkdir(mode=0o700)
    whole = snapshot(store)
    _result, duration = run_to_the_end("preflight", store, tmp_path)
    for number in trial.rounds(4, 100):
        if plan == "repair":
            make_wrong(store, rng)
        if "marker" in plan:
            store.zero_chunk.unlink()
        before = snapshot(store)
        (tmp_path / "result").unlink(missing_ok=True)
        with nursery(lambda: module(plan, store, tmp_path), output=tmp_path / "output") as run:
            time.sleep(rng.random() * duration)
            processes = run.processes()
            # Each role in its turn, where somebody has it at this moment.
            chosen = [process for process in processes if process.depth - 1 == number % 4] or processes
            hit = rng.choice(chosen) if chosen else None
            if hit is not None:
                strike(hit, processes)
            run.wait()
        role = ROLES[hit.depth - 1] if hit else "nobody, as it was over"
        trial.saw(f"hit {role}")
        if (tmp_path / "result").exists():
            trial.saw(f"hit {role}: the run {check_answer(plan, json.loads((tmp_path / 'result').read_text()))}")
        check_what_is_left(store, before, trial)

        age(tmp_path / "jobs")
        _result, duration = run_to_the_end(plan, store, tmp_path)
        check_everything(store, whole, tmp_path, trial)


def check_what_is_left(store, before, trial):
    """Right after the kill: no data is touched, everything is as it was before or as it must be after."""
    now = snapshot(store)
    probes = [path for path in now if os.path.basename(path).startswith(PRIVATE_PREFIX)]
    trial.saw("left a file of the probe, which the next run removed", len(probes))
    for path in probes:
        assert now.pop(path)["content"] in (b"", ZERO_CHUNK, ZERO_CHUNK[:0])
    zero = str(store.zero_chunk.relative_to(store.path))
    assert set(before) <= set(now) <= {*before, zero}
    for path, was in before.items():
        found = now[path]
        assert (found["content"], found["mtime"]) == (was["content"], was["mtime"]), path
        assert found["owner"] in (was["owner"], backup_ids()), path
        assert found["mode"] in (was["mode"], 0o644), path
        # The owner first, then the mode: never a mode for another user.
        assert found["mode"] == was["mode"] or found["owner"] == backup_ids(), path
    if zero in now:
        assert now[zero]["content"] == ZERO_CHUNK


def check_everything(store, whole, tmp_path, trial):
    """After the next run: nothing is left, and everything is as it should be."""
    after = snapshot(store)
    zero = str(store.zero_chunk.relative_to(store.path))
    assert set(after) == set(whole)
    for path, was in whole.items():
        keys = [key for key in was if not (path == zero and key == "mtime")]
        assert [after[path][key] for key in keys] == [was[key] for key in keys], path
    assert os.listdir(tmp_path / "jobs") == []
    trial.saw("nothing left, data as before")


# --- the probe --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["datastore", "marker", "empty directory"])
def test_the_probe_is_killed(campaign, store, tmp_path, place):
    trial = campaign(
        f"SIGKILL of the probe at a random moment of the milliseconds that it takes: {place}",
        "the next run removes its file, and nothing else is other than before",
    )
    rng = random.Random(place)
    uid, gid = backup_ids()
    identity = Identity(uid, gid, (gid,))
    path = store.path
    if place == "empty directory":
        open_way(tmp_path)
        path = tmp_path / "empty"
        path.mkdir()

    def probe(channel):
        acts = AtimeProbe(str(path), "marker" if place == "marker" else "private", identity)
        acts.begin()
        become(identity)
        acts.finish()
        channel.put("atime", acts.facts)

    whole = snapshot(store)
    duration = child.run_one(probe, 60.0).elapsed
    for number in trial.rounds(150, 2000):
        if place == "marker":
            store.zero_chunk.unlink(missing_ok=True)
        outcome = ended(child.run_one(probe, 1.2 * duration * rng.random()))
        trial.saw("hit" if outcome.timed_out else "was over before")
        left = [name for name in [*os.listdir(path), *os.listdir(store.zero_chunk.parent)] if "probe" in name]
        trial.saw("left a file", len(left))
        outcome = child.run_one(probe, 60.0)
        assert outcome.finished, outcome.error
        duration = 0.9 * duration + 0.1 * outcome.elapsed
        facts = outcome.parts["atime"]
        assert facts["probe"]["advanced"]
        assert facts["leftovers_removed"] == len(left)
        trial.saw("file removed by the next run", len(left))
        assert not [name for name in os.listdir(path) if "probe" in name]
        if number % 50:
            continue
        now = snapshot(store)
        if place == "marker":
            zero = now[str(store.zero_chunk.relative_to(store.path))]
            assert (zero["content"], zero["owner"], zero["mode"]) == (ZERO_CHUNK, (uid, gid), 0o644)
            zero["mtime"] = whole[str(store.zero_chunk.relative_to(store.path))]["mtime"]
        assert now == whole
    assert trial.outcomes["hit"] > trial.tried / 10


# --- Ansible itself ---------------------------------------------------------------------------------------------------


def role_of(process, processes):
    """Who that is in a run of ansible-playbook over a connection without a network."""
    if "AnsiballZ" not in process.command or "/bin/sh" in process.command.split()[0]:
        return "ansible-playbook" if process.depth <= 2 else "a shell between"
    by_pid = {other.pid: other for other in processes}
    distance = 0
    while process.parent in by_pid and by_pid[process.parent].command == process.command:
        process = by_pid[process.parent]
        distance += 1
    return ROLES.get(distance, "a child at the datastore")


def ansible(playbook, variables, home):
    """What runs the playbook, and its environment."""
    (home / "ansible.cfg").touch()
    env = ansible_run._environment(str(home), {"ANSIBLE_ASYNC_DIR": str(home / "jobs")})
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    argv = [sys.executable, "-m", "ansible", "playbook", "--inventory", f"{ansible_run.HOST},"]
    argv += ["--extra-vars", json.dumps({**variables, **connection}), str(playbook)]
    return argv, env


def test_a_process_of_ansible_is_killed(campaign, store, tmp_path):
    trial = campaign(
        "SIGKILL of ansible-playbook or of a process below it, at a random moment of the playbook repair",
        "what is left of the run ends by itself; the next run repairs the rest and leaves no probe file, no process "
        "and no job file; the data is as before",
    )
    rng = random.Random(6)
    config, home = tmp_path / "etc", tmp_path / "home"
    config.mkdir(mode=0o700)
    home.mkdir()
    (home / "jobs").mkdir()
    (config / "datastore.cfg").write_text(f"datastore: tank\n\tpath {store.path}\n")
    variables = {
        f"{role}_{name}_dir": str(config) for role in ("repair", "preflight") for name in ("config", "state", "run")
    }
    variables.update(preflight_results=str(tmp_path / "results"), preflight_fail_on="never")
    variables.update(preflight_fail_on_unknown="never", preflight_report_formats=[])
    argv, env = ansible(ansible_run.ROOT / "playbooks/repair.yml", variables, home)
    whole = snapshot(store)
    duration = 4.0
    for _number in trial.rounds(1, 30):
        make_wrong(store, rng)
        before = snapshot(store)
        with nursery(argv, env, tmp_path / "output") as run:
            time.sleep(rng.random() * duration)
            processes = run.processes()
            if processes:
                hit = rng.choice(processes)
                trial.saw(f"hit {role_of(hit, processes)}")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(hit.pid, signal.SIGKILL)
            else:
                trial.saw("hit nobody, as it was over")
            run.wait()
        check_what_is_left(store, before, trial)
        age(home / "jobs")
        started = time.monotonic()
        with nursery(argv, env, tmp_path / "output") as run:
            run.wait()
        duration = time.monotonic() - started
        document = json.loads((tmp_path / "results" / f"{ansible_run.HOST}.json").read_text())
        assert finding(document, "PBS-OWNER-03", "tank")["status"] in ("pass", "fixed"), (
            tmp_path / "output"
        ).read_text()
        after = snapshot(store)
        assert after == whole
        assert os.listdir(home / "jobs") == []
        trial.saw("nothing left, data as before")


# --- the connection ---------------------------------------------------------------------------------------------------

REPAIR = """\
- hosts: all
  gather_facts: false
  tasks:
    - fleetops.pbs.chunk_ownership: {path: "{{ store }}", deadline: 240, stall: 240}
"""

CUTS = ("ssh killed", "sshd killed", "no packet for a while")


def test_the_connection_is_lost(campaign, tmpfs, faultfs):
    trial = campaign(
        "a repair over real ssh loses its connection at a random moment, for a random time: the ssh or the sshd is "
        "killed, or no packet arrives",
        "the work goes on to its end; its result is fetched over another connection, or Ansible says that it was lost "
        "and the next run has nothing left to do; no process and no job file remain",
    )
    rng = random.Random(7)
    base, links = tmpfs("size=256m,mode=755"), faultfs()
    with tempfile.TemporaryDirectory(prefix="fleetops-") as directory, contextlib.ExitStack() as stack:
        fleet = stack.enter_context(ssh_fleet(Path(directory), len(CUTS)))
        play = Path(directory, "play.yml")
        play.write_text(REPAIR)
        stores = {host.name: make_chunk_store(base / host.name, prefixes=16, chunks=64) for host in fleet.hosts}
        for name, store in stores.items():
            (links.source / name).symlink_to(store.path)
        whole = {name: snapshot(store) for name, store in stores.items()}
        variables = {host.name: {"store": str(links.path / host.name)} for host in fleet.hosts}
        for _number in trial.rounds(1, 10):
            for store in stores.values():
                make_wrong(store, rng)
            links.set("hang:/")
            with fleet.playbook(play, variables) as controller:
                held = hold_work(fleet.hosts, links)
                time.sleep(12 * rng.random())
                _client, session, wire = fleet.hosts
                wire.cut_wire()
                with contextlib.suppress(AssertionError):  # there is not always a connection
                    kill(session.sessions())
                    kill(ssh_clients(controller))
                time.sleep(4 * rng.random())
                for pid in held.values():
                    os.kill(pid, signal.SIGCONT)
                time.sleep(4 * rng.random())
                wire.reconnect()
                until(fleet.recap, fleet.said)
            for host, cut in zip(fleet.hosts, CUTS):
                numbers = fleet.recap()[host.name]
                fetched = (numbers["ok"], numbers["changed"]) == (1, 1)
                assert fetched or numbers["unreachable"] + numbers["failed"] == 1, fleet.said()
                trial.saw(f"{cut}: {'result fetched' if fetched else 'said to be lost'}")
                until(lambda host=host: not host.strangers(), lambda host=host: f"{host.name}: {host.strangers()}")
                age(host.jobs)
                assert snapshot(stores[host.name]) == whole[host.name]
            with fleet.playbook(play, variables):
                until(fleet.recap, fleet.said)
            for host in fleet.hosts:
                numbers = fleet.recap()[host.name]
                assert (numbers["ok"], numbers["changed"]) == (1, 0), fleet.said()
                assert os.listdir(host.jobs) == []
                until(lambda host=host: not host.strangers(), lambda host=host: f"{host.name}: {host.strangers()}")
                trial.saw("nothing left, nothing left to do for the next run")
