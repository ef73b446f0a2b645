"""The real ansible-runner in its own process: verifies, fails with a reason, is cancelled, runs no nodes' templates."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from aware_agent.colony.hook import Operation
from aware_agent.colony.node import Record, Report, Status
from aware_agent.colony.view import ColonyData, ColonyView, Entry, build_view
from aware_agent.queen import runner
from aware_agent.queen.runner import Outcome, PlaybookRunner
from tests.unit.cli_support import Authority, FakeGateway, Reply

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ansible_runner") is None, reason="ansible-runner is not installed (extra: runner)"
)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    fake = FakeGateway(Authority(tmp_path / "tls"))
    yield fake
    fake.close()


@pytest.fixture
def playbooks(tmp_path: Path, gateway: FakeGateway) -> PlaybookRunner:
    return PlaybookRunner(tmp_path / "runs", (tmp_path / "tls" / "ca.crt").read_bytes)


def view_of(**urls: str) -> ColonyView:
    """Ready nodes at these URLs."""
    entries = {}
    for name, url in urls.items():
        report = Report(name=name, address="127.0.0.1", url=url, incarnation="i")
        status = Status.DEAD if name == "dead" else Status.READY
        record = Record(id=f"id-{name}", name=name, joined_at=1.0, status=status, report=report)
        entries[record.id] = Entry(record=record, revision=1, config_version=0, config_revision=0, vars={})
    data = ColonyData(
        colony="demo",
        revision=1,
        spec=None,
        spec_revision=0,
        queen_record=None,
        term=0,
        entries=entries,
        presence={},
        castes={},
    )
    return build_view(data)


def _left(directory: Path) -> list[str]:
    """Processes that work for ``directory``."""
    infos = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
    lines = [" ".join([*(info["cmdline"] or []), info["cwd"] or ""]) for info in infos]
    return [line for line in lines if str(directory) in line]


async def test_ready_nodes_are_verified_and_nothing_is_left(
    gateway: FakeGateway, playbooks: PlaybookRunner, tmp_path: Path
) -> None:
    gateway.say("GET /readyz", {"ready": True})
    view = view_of(one=gateway.url, two=gateway.url, dead="https://127.0.0.1:1")
    outcome = await playbooks.run(Operation.VERIFY, view)
    assert outcome.ok, outcome.message
    assert outcome.message == "2 nodes verified"
    assert len(gateway.asked) == 2
    assert list((tmp_path / "runs").iterdir()) == []
    assert (tmp_path / "runs").stat().st_mode & 0o777 == 0o700


async def test_a_node_that_is_not_ready_is_named(
    gateway: FakeGateway, playbooks: PlaybookRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _impatient(tmp_path, monkeypatch)
    gateway.routes["GET /readyz"] = lambda ask: Reply({"ready": False}, 503)
    outcome = await playbooks.run(Operation.VERIFY, view_of(one=gateway.url))
    assert not outcome.ok
    assert outcome.message.startswith("one: ")
    assert "503" in outcome.message


async def test_nobody_to_verify_is_a_failure(playbooks: PlaybookRunner, gateway: FakeGateway) -> None:
    assert not (await playbooks.run(Operation.VERIFY, view_of(dead=gateway.url))).ok


async def test_cancelling_ends_every_process_and_removes_the_files(
    gateway: FakeGateway, playbooks: PlaybookRunner, tmp_path: Path
) -> None:
    gateway.routes["GET /readyz"] = lambda ask: Reply({"ready": False}, 503)
    work = asyncio.create_task(playbooks.run(Operation.VERIFY, view_of(one=gateway.url)))
    async with asyncio.timeout(60):
        while not gateway.asked:
            await asyncio.sleep(0.05)
    assert _left(tmp_path / "runs")
    work.cancel()
    assert isinstance((await asyncio.gather(work, return_exceptions=True))[0], asyncio.CancelledError)
    assert _left(tmp_path / "runs") == []
    assert list((tmp_path / "runs").iterdir()) == []


async def test_it_ends_by_itself_when_nobody_waits_any_more(
    gateway: FakeGateway, playbooks: PlaybookRunner, tmp_path: Path
) -> None:
    """As after kill -9 of the agent: the kernel closes the runner's standard input, and nothing else happens."""
    gateway.routes["GET /readyz"] = lambda ask: Reply({"ready": False}, 503)
    private = tmp_path / "run"
    private.mkdir(mode=0o700)
    ca_pem = (tmp_path / "tls" / "ca.crt").read_bytes()
    runner._furnish(private, "verify.yml", runner.hosts(view_of(one=gateway.url)), ca_pem)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aware_agent.queen.runner_process", str(private),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=runner._environment(private), cwd=private,
    )  # fmt: skip
    async with asyncio.timeout(60):
        while not gateway.asked:
            await asyncio.sleep(0.05)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        answer = msgspec.json.decode(await process.stdout.read(), type=Outcome)
        await process.wait()
    assert _left(private) == []
    assert answer == Outcome(ok=False, message="cancelled")


async def test_a_playbook_that_never_ends_is_ended(
    gateway: FakeGateway, playbooks: PlaybookRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RUN_S", 3.0)
    gateway.routes["GET /readyz"] = lambda ask: Reply({"ready": False}, 503)
    outcome = await playbooks.run(Operation.VERIFY, view_of(one=gateway.url))
    assert not outcome.ok
    assert "too" in outcome.message


@pytest.mark.parametrize("wrapped", [True, False])
async def test_what_a_node_says_is_no_template(
    playbooks: PlaybookRunner, gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    """The same text without the wrapping runs its command: so the wrapping is what protects."""
    proof = tmp_path / "proof"
    text = f"https://{{{{ lookup('pipe', 'touch {proof}') }}}}.invalid"
    value: Any = runner.unsafe(text) if wrapped else text
    monkeypatch.setattr(runner, "hosts", lambda view: {"evil": {"aware_url": value}})
    _impatient(tmp_path, monkeypatch)
    assert not (await playbooks.run(Operation.VERIFY, view_of())).ok
    assert proof.exists() is not wrapped


def _impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The playbook as it is, but without pauses."""
    directory = tmp_path / "playbooks"
    directory.mkdir()
    text = (runner._HERE / "verify.yml").read_text()
    changed = text.replace("retries: 6", "retries: 1").replace("delay: 2", "delay: 0")
    assert changed != text
    (directory / "verify.yml").write_text(changed)
    monkeypatch.setattr(runner, "_HERE", directory)
