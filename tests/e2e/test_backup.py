"""A colony that lost everything comes back from its backup: the same nodes, configuration and spec, terms only grow."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aware_agent.cli.backup_restore import Wish, restore
from aware_agent.colony.backup import BackupPolicy, parse_name
from aware_agent.colony.retention import Keep
from aware_agent.colony.spec import CasteSpec, Policies, Spec
from aware_agent.queen.backup.passphrase import make_key_file, read_passphrase
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.snapshot_tools import PeerMember
from bench.client import ColonyClient
from bench.lab import ADDRESS, Lab

pytestmark = pytest.mark.e2e

POLICY = BackupPolicy(every="6h", keep=Keep(last=3))
WISH = Spec(colony="lab", size=3, castes={"web": CasteSpec(count=2)}, policies=Policies(backup=POLICY))


def prepared(directory: Path) -> dict[str, str]:
    """The agents' ``[backup]`` section, with its key and an empty target."""
    make_key_file(directory / "backup.key")
    (directory / "backups").mkdir(mode=0o700)
    return {"key_file": str(directory / "backup.key"), "directory": str(directory / "backups")}


async def backups(lab: Lab, *, at_least: int, timeout_s: float = 60.0) -> dict[str, Any]:
    """``/v1/backups`` as soon as so many are on record."""
    document: dict[str, Any] = {}
    async with asyncio.timeout(timeout_s):
        while len(document.get("backups", [])) < at_least:
            answer = await lab.ask("GET", "/v1/backups")
            document = answer.json() if answer.ok else {}
            assert not document.get("failure"), document
            await asyncio.sleep(0.1)
    return document


async def nodes_of(lab: Lab) -> dict[str, str]:
    """Ids by name."""
    return {node["name"]: node["id"] for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}


async def service_account(lab: Lab) -> ColonyClient:
    """A client that shows a token of a new service account."""
    made = await lab.ask("POST", "/v1/service-accounts", {"name": "deploy", "role": "viewer"})
    assert made.status == 201, made.body
    token = await lab.ask("POST", "/v1/service-accounts/deploy/tokens", {"ttl_s": 3600})
    assert token.status == 201, token.body
    client = lab.client()
    client.token = token.json()["token"]
    return client


def restored_etcd(lab: Lab, into: Path) -> EmbeddedEtcd:
    """etcd on the restored data at the old addresses, with the restored certificates."""
    shutil.rmtree(lab.etcd.directory)
    lab.etcd.directory.mkdir(mode=0o700)
    shutil.copytree(into / "etcd" / "m0", lab.etcd.directory / "m0")
    shutil.rmtree(lab.material_dir)
    shutil.copytree(into / "material", lab.material_dir)
    return lab.etcd


async def start_restored(lab: Lab, into: Path) -> None:
    """As :func:`restored_etcd`, and running."""
    etcd = restored_etcd(lab, into)
    for member in etcd.members:
        member.start()
    for member in etcd.members:
        await etcd.wait_ready(member)


def wish_for(lab: Lab, into: Path, **changes: Any) -> Wish:
    """Restore the newest backup for the lab's one member of etcd."""
    # Two of the same second are told apart by their revisions.
    made = [parse_name(path.name, lab.colony) for path in (lab.directory / "backups").iterdir()]
    latest = max((backup for backup in made if backup), key=lambda backup: (backup.created_at, backup.revision))
    newest = lab.directory / "backups" / latest.name
    wish = Wish(
        file=newest,
        into=into,
        passphrase=read_passphrase(str(lab.directory / "backup.key")),
        colony=lab.colony,
        members=(PeerMember("m0", "https://127.0.0.1:2380"),),
        etcd=tuple(lab.etcd.endpoints),
        lift_by=5000,
    )
    return msgspec.structs.replace(wish, **changes)


async def test_everything_is_destroyed_and_comes_back(tmp_path: Path) -> None:
    """etcd, with users, and two of three nodes lose all they had; one keeps its state; all are who they were."""
    settings = {"backup": prepared(tmp_path)}
    async with Lab(3, spec=WISH, settings=settings, directory=tmp_path, etcd_auth=True) as lab:
        await lab.form()
        await lab.ask("PUT", "/v1/nodes/lab-3/config", {"config": {"vars": {"role": "db"}}})
        first = await backups(lab, at_least=1)
        assert first["backups"][0]["actor"] == "colony"
        assert (await lab.ask("POST", "/v1/backups")).status == 202
        second = await backups(lab, at_least=2)
        assert second["backups"][0]["actor"] == "admin"
        before = await nodes_of(lab)
        spec = (await lab.ask("GET", "/v1/spec")).json()["spec"]

        # What happens after the backup is lost, but its terms must not be given again.
        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        last = await lab.new_queen(queen["term"])
        for agent in lab.agents.values():
            agent.kill()
        lab.etcd.close()
        for name in ("lab-1", "lab-3"):
            shutil.rmtree(lab.agent(name).state_dir)

        into = tmp_path / "restored"
        done = await asyncio.to_thread(restore, wish_for(lab, into, nodes={"lab-1": ADDRESS, "lab-3": ADDRESS}))
        assert done.to_revision > last["term"]
        await start_restored(lab, into)
        for name in ("lab-1", "lab-3"):
            shutil.copytree(into / "nodes" / name, lab.agent(name).state_dir)
        for agent in lab.agents.values():
            agent.start()
        risen = await lab.new_queen(last["term"], 60.0, strict=True)
        assert risen["term"] > done.to_revision > last["term"]
        await lab.wait_ready(3)
        assert await nodes_of(lab) == before
        assert (await lab.ask("GET", "/v1/nodes/lab-3/config")).json()["config"]["vars"] == {"role": "db"}
        assert (await lab.ask("GET", "/v1/spec")).json()["spec"] == spec
        events = (await lab.ask("GET", "/v1/events?since=0&limit=1000")).json()["events"]
        elected = [event["term"] for event in events if event["type"] == "queen.elected"]
        assert elected == sorted(set(elected))
        assert "colony.restored" in [event["type"] for event in events]
        # The join token of the restore lets a newcomer in.
        shutil.copy(into / "join-token", lab.token_file)
        lab.add_agent("lab-4").start()
        await lab.wait_ready(4, healthy=False)


async def test_agents_that_kept_running_follow_the_restored_etcd(tmp_path: Path) -> None:
    """Only etcd is lost. Nobody goes on reigning under an old term, and what was written after the backup is gone."""
    async with Lab(
        2, spec=msgspec.structs.replace(WISH, size=2), settings={"backup": prepared(tmp_path)}, directory=tmp_path
    ) as lab:
        await lab.form()
        await backups(lab, at_least=1)  # it may be older than lab-2, whom it then would not know
        program = await service_account(lab)
        assert (await program.call("GET", "/v1/nodes")).status == 200
        await lab.ask("POST", "/v1/backups")
        await backups(lab, at_least=2)
        queen = await lab.queen()
        await lab.ask("PUT", "/v1/nodes/lab-2/config", {"config": {"vars": {"late": "yes"}}})
        before = await nodes_of(lab)
        lab.etcd.close()
        into = tmp_path / "restored"
        await asyncio.to_thread(restore, wish_for(lab, into))
        await start_restored(lab, into)
        risen = await lab.new_queen(queen["term"], 60.0)
        await lab.wait_ready(2, healthy=False)
        assert risen["term"] > queen["term"]
        assert await nodes_of(lab) == before
        assert (await lab.ask("GET", "/v1/nodes/lab-2/config")).json()["config"]["vars"] == {}
        assert (await program.call("GET", "/v1/nodes")).status == 401, "it may have been revoked since"
        program.close()
        assert (await lab.ask("GET", "/v1/service-accounts")).json()["accounts"] == []


async def test_a_new_queen_does_not_repeat_and_does_not_forget(tmp_path: Path) -> None:
    """A backup that is on record is not made again by the next queen; one that was asked for is."""
    async with Lab(3, spec=WISH, settings={"backup": prepared(tmp_path)}, directory=tmp_path) as lab:
        await lab.form()
        await backups(lab, at_least=1)
        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        await lab.new_queen(queen["term"])
        answer = await lab.ask("POST", "/v1/backups")
        assert answer.status == 202, answer.body
        document = await backups(lab, at_least=2)
        actors = [one["actor"] for one in document["backups"]]
        assert actors == ["admin", "colony"], "the new queen made the one that was asked for and no other"
        assert sorted(one["name"] for one in document["backups"]) == sorted(
            path.name for path in (tmp_path / "backups").iterdir()
        )
        third = await lab.ask("POST", "/v1/backups")
        assert third.status == 202
        await backups(lab, at_least=3)
        fourth = await lab.ask("POST", "/v1/backups")
        assert fourth.status == 202
        newest = (await backups(lab, at_least=3))["backups"][0]["name"]
        while (await backups(lab, at_least=3))["backups"][0]["name"] == newest:
            await asyncio.sleep(0.1)
        assert len(list((tmp_path / "backups").iterdir())) == 3, "keep: last: 3"
        metrics = (await lab.ask("GET", "/metrics")).body.decode()
        assert "aware_backup_last_success_timestamp_seconds 1" in metrics


async def test_a_failure_is_told_and_the_command_line_sees_it_through(tmp_path: Path) -> None:
    """No directory: an event, a metric, one line and an exit code. When it is there, the next attempt succeeds."""
    settings = prepared(tmp_path)
    (tmp_path / "backups").rmdir()
    async with Lab(
        1, spec=msgspec.structs.replace(WISH, size=1, castes={}), settings={"backup": settings}, directory=tmp_path
    ) as lab:
        await lab.form()
        await lab.admin()
        context = lab.write_context()

        def aware(*arguments: str) -> subprocess.CompletedProcess[str]:
            argv = [sys.executable, "-m", "aware_agent.cli", "backup", *arguments]
            return subprocess.run(argv, capture_output=True, text=True, timeout=120)

        failed = await asyncio.to_thread(aware, "now", "--context", str(context))
        assert failed.returncode == 1
        assert "there is no directory" in failed.stderr
        assert failed.stderr.count("\n") == 1
        events = (await lab.ask("GET", "/v1/events?since=0&limit=1000")).json()["events"]
        assert any(event["type"] == "backup.failed" and event["severity"] == "error" for event in events)
        assert "aware_backup_failures_total 0" not in (await lab.ask("GET", "/metrics")).body.decode()
        (tmp_path / "backups").mkdir(mode=0o700)
        made = await asyncio.to_thread(aware, "now", "--json", "--context", str(context))
        assert made.returncode == 0, made.stderr
        name = json.loads(made.stdout)["backups"][0]["name"]
        file = str(tmp_path / "backups" / name)
        checked = await asyncio.to_thread(aware, "verify", file, "--key-file", settings["key_file"], "--json")
        assert json.loads(checked.stdout)["nodes"] == ["lab-1"]
