"""Jobs in a real etcd: queued once, started in their turn, told of, ended, inherited by the next queen, forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest

from aware_agent.agent.member.operations import Found, MemberOperations
from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.settings import JobSettings
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.errors import AwareError, Conflict, Deposed, InvalidInput
from aware_agent.colony.event import Event
from aware_agent.colony.hook import HookOperation, Order
from aware_agent.colony.jobs import Job, JobState, Progress
from aware_agent.colony.node import Record, Report
from aware_agent.colony.operation import Operation, Problem
from aware_agent.colony.spec import CasteSpec, JobPolicy, Policies, Spec
from aware_agent.queen import overview
from aware_agent.queen.commands import PutSecret
from aware_agent.queen.hooks import HookCommands, Replayed
from aware_agent.queen.jobs import book, worker
from aware_agent.queen.jobs.book import JobBook
from aware_agent.queen.jobs.commands import JobCommands
from aware_agent.queen.jobs.protocol import Ended, Said
from aware_agent.queen.jobs.table import OperationsDuty
from aware_agent.queen.jobs.worker import JobWorker, Task
from aware_agent.queen.secrets import SecretBook, SecretCommands, SecretMissing
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.colony_secret import NamedSecret, TextSecret
from aware_agent.security.sealed import colony_sealer
from aware_agent.security.signed_url import Permit
from aware_agent.security.token import base64url
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection

pytestmark = pytest.mark.etcd
GROW = Order(operation=HookOperation.SCALE, delta=1, caste="web", max_size=6)
SECRET = {"type": "string", "writeOnly": True}
OPERATIONS = (
    Operation(name="tidy", playbook="/p.yml", file="f", idempotent=True),
    Operation(
        name="wipe", playbook="/p.yml", file="f", parameters={"type": "object", "properties": {"password": SECRET}}
    ),
    Operation(name="grow", playbook="/p.yml", file="f", uses=("lab",)),
    Operation(name="left", playbook="/p.yml", file="f", group="door"),
    Operation(name="right", playbook="/p.yml", file="f", group="door"),
)


def permit(uses: int = 1, ttl_s: int = 600, order: Order = GROW) -> Permit:
    now = int(time.time())
    nonce = base64url(b"n" * 16)
    return Permit(order=order, actor="otto", nonce=nonce, issued_at=now, expires_at=now + ttl_s, uses=uses)


class Plays:
    """Stands for Ansible, which has a test of its own; says what it was asked."""

    def __init__(self) -> None:
        self.ran: list[Task] = []
        self.outcome = Ended(state=JobState.SUCCEEDED, reason="", message="done on 2 hosts")
        self.error: Exception | None = None
        self.says: list[Said] = []
        self.hold = False
        self.ended = 0

    @property
    def names(self) -> list[str]:
        return [task.job.operation for task in self.ran]

    async def run(self, task: Task, said: Callable[[Said], Awaitable[None]], cancelled: asyncio.Event) -> Ended:
        self.ran.append(task)
        if self.error:
            raise self.error
        for what in self.says:
            await said(what)
        try:
            while self.hold and not cancelled.is_set():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.ended += 1
            raise
        return Ended(state=JobState.CANCELLED, reason="cancelled", message="") if cancelled.is_set() else self.outcome


class Reign:
    """A queen as far as jobs are concerned."""

    def __init__(self, client: EtcdClient, keys: Keys, plays: Plays) -> None:
        self.client, self.keys, self.plays = client, keys, plays

    async def begin(self) -> Reign:
        await self.client.delete(self.keys.queen)
        queen_record = QueenRecord(id="q", name="q", url="https://127.0.0.1:1", incarnation="i", since=1.0)
        term = await self.client.put(self.keys.queen, msgspec.json.encode(queen_record))
        self.projection = Projection(self.client, [self.keys.everything()])
        await self.projection.start()
        await self.projection.wait_revision(term, 5.0)
        self.reader = ColonyReader(self.projection, self.keys)
        self.projection.listen(lambda batch: self.reader.changed(batch.revision, [c.kv.key for c in batch.changes]))
        self.writer = FencedWriter(self.client, self.reader, term)
        self.member = MemberOperations(JobSettings())
        self.member.found = Found(OPERATIONS)
        sealer = colony_sealer(b"s" * 32)
        self.secrets = SecretCommands(self.writer, SecretBook(self.reader, sealer), sealer)
        self.book = JobBook(self.writer, sealer, self.member, SecretBook(self.reader, sealer))
        self.worker = JobWorker(self.writer, self.book, self.plays, node="demo-1", parallel=2, inherit_s=0.2)
        self.hooks = HookCommands(self.writer, self.client, self.book, self.worker.refresh)
        self.jobs = JobCommands(self.writer, self.book, self.worker.refresh)
        self._working: asyncio.Task[None] | None = None
        return self

    def work(self) -> None:
        self._working = asyncio.create_task(self.worker.run())

    async def end(self) -> None:
        self.writer.close()
        if self._working:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        await self.projection.aclose()

    async def accept(self, order: Order = GROW, use: Permit | None = None) -> Job:
        return self.book.job((await self.hooks.accept_hook(order, actor="otto", permit=use)).job)

    async def run(self, name: str, **parameters: Any) -> str:
        return (await self.jobs.run_job(name, parameters, (), grant=None, actor="otto")).job

    async def ended(self, job_id: str) -> Job:
        async with asyncio.timeout(20):
            while (job := self.book.job(job_id)).open:
                await asyncio.sleep(0.01)
        return job

    async def running(self, *job_ids: str) -> None:
        async with asyncio.timeout(20):
            while any(self.book.job(one).state is not JobState.RUNNING for one in job_ids):
                await asyncio.sleep(0.01)

    @property
    def spec(self) -> Spec:
        spec = self.reader.data().spec
        assert spec is not None
        return spec

    def events(self, prefix: str = "job.") -> list[str]:
        """Types in the order they were written; ids of one millisecond have none."""
        stored = sorted(self.projection.items(self.keys.key("events/")), key=lambda kv: kv.mod_revision)
        types = [msgspec.json.decode(kv.value, type=Event).type for kv in stored]
        return [kind for kind in types if kind.startswith(prefix)]


@pytest.fixture(scope="module")
def etcd() -> Iterator[EmbeddedEtcd]:
    etcd = EmbeddedEtcd()
    asyncio.run(etcd.__aenter__())
    yield etcd
    etcd.close()


QueenSeen = Callable[..., Awaitable[Reign]]


@pytest.fixture
async def queen_record(etcd: EmbeddedEtcd, request: pytest.FixtureRequest) -> AsyncIterator[QueenSeen]:
    """One queen after another over a colony of this test's own; two nodes are ready, two are wanted."""
    keys = Keys("".join(c if c.isalnum() else "-" for c in request.node.name))
    reigns: list[Reign] = []
    async with EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        spec = Spec(colony="demo", size=2, castes={"web": CasteSpec(count=1)})
        await client.put(keys.key("spec"), msgspec.json.encode(spec))
        for number in (1, 2):
            name = f"demo-{number}"
            report = Report(name=name, address="127.0.0.1", url=f"https://127.0.0.1:{number}", incarnation="i")
            record = Record(id=name, name=name, joined_at=1.0, report=report)
            await client.put(keys.key("nodes", name), msgspec.json.encode(record))

        async def make(plays: Plays | None = None) -> Reign:
            reigns.append(await Reign(client, keys, plays or Plays()).begin())
            return reigns[-1]

        yield make
        for reign in reigns:
            await reign.end()


async def test_an_order_is_a_job_on_record_before_anything_is_done(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    job = await queen.accept()
    assert (job.state, job.term, job.operation) == (JobState.QUEUED, queen.writer.term, "scale")
    assert job.parameters == {"delta": 1, "caste": "web", "max_size": 6}
    assert queen.events() == ["job.queued"]
    assert queen.spec.size == 2


async def test_scaling_changes_size_and_caste_once(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    queen.work()
    done = await queen.ended((await queen.accept()).id)
    assert (done.state, done.message) == (JobState.SUCCEEDED, "size 2 became 3")
    assert (queen.spec.size, queen.spec.castes["web"].count) == (3, 2)
    assert queen.events() == ["job.queued", "job.succeeded"]
    assert queen.events("spec.") == ["spec.changed"]
    shrunk = await queen.ended((await queen.accept(Order(operation=HookOperation.SCALE, delta=-1, caste="web"))).id)
    assert shrunk.state is JobState.SUCCEEDED
    assert (queen.spec.size, queen.spec.castes["web"].count) == (2, 1)


async def test_the_next_queen_does_what_was_accepted_and_nothing_twice(queen_record: QueenSeen) -> None:
    first = await queen_record()
    job = await first.accept()
    await first.end()
    second = await queen_record()
    second.work()
    assert (await second.ended(job.id)).term == second.writer.term
    assert second.spec.size == 3
    await second.end()
    third = await queen_record()
    third.work()
    assert (await third.ended((await third.accept()).id)).state is JobState.SUCCEEDED
    assert third.spec.size == 4


async def test_a_replay_is_refused_even_by_the_next_queen(queen_record: QueenSeen) -> None:
    first, use = await queen_record(), permit()
    await first.accept(use=use)
    with pytest.raises(Replayed):
        await first.accept(use=use)
    await first.end()
    second = await queen_record()
    with pytest.raises(Replayed):
        await second.accept(use=use)
    with pytest.raises(Replayed):
        await second.accept(msgspec.structs.replace(GROW, reference="somebody-else"), use)
    assert second.events() == ["job.queued"]


async def test_ten_at_once_are_one(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit()
    outcomes = await asyncio.gather(*(queen.accept(use=use) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, Job) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Replayed) for outcome in outcomes) == 9


async def test_a_deposed_queen_takes_nothing_and_spends_nothing(queen_record: QueenSeen) -> None:
    old, use = await queen_record(), permit()
    new = await queen_record()
    with pytest.raises(Deposed):
        await old.accept(use=use)
    with pytest.raises(Deposed):
        await old.run("tidy")
    assert list(overview.jobs(new.reader)) == []
    assert (await new.accept(use=use)).state is JobState.QUEUED


async def test_the_nonce_is_remembered_on_a_lease_longer_than_the_url(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit(uses=2)
    await queen.accept(msgspec.structs.replace(GROW, reference="a"), use)
    key = queen.keys.key("hook-nonces", use.nonce)
    first = await queen.client.get(key)
    await queen.accept(msgspec.structs.replace(GROW, reference="b"), use)
    second = await queen.client.get(key)
    assert first is not None
    assert second is not None
    assert first.lease == second.lease != 0
    await queen.client.revoke(second.lease)
    assert await queen.client.get(key) is None


async def test_each_reference_counts_once_and_uses_are_bounded(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit(uses=2)
    orders = {name: msgspec.structs.replace(GROW, reference=name) for name in ("vm-1", "vm-2", "vm-3")}
    first = await queen.hooks.accept_hook(orders["vm-1"], actor="otto", permit=use)
    again = await queen.hooks.accept_hook(orders["vm-1"], actor="otto", permit=use)
    assert (first.new, again.new, again.job) == (True, False, first.job)
    await queen.accept(orders["vm-2"], use)
    with pytest.raises(Replayed):
        await queen.accept(orders["vm-3"], use)
    assert not (await queen.hooks.accept_hook(orders["vm-2"], actor="otto", permit=use)).new
    assert len(list(overview.jobs(queen.reader))) == 2


async def test_impossible_orders_cost_no_use(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit()
    with pytest.raises(Conflict, match="limit"):
        await queen.accept(msgspec.structs.replace(GROW, delta=5), use)
    with pytest.raises(InvalidInput, match="no caste"):
        await queen.accept(msgspec.structs.replace(GROW, caste="db"), use)
    with pytest.raises(Conflict, match="size 0"):
        await queen.accept(Order(operation=HookOperation.SCALE, delta=-2), use)
    assert queen.events() == []
    assert (await queen.accept(use=use)).state is JobState.QUEUED


async def test_a_limit_reached_meanwhile_fails_the_job(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    jobs = [await queen.accept(msgspec.structs.replace(GROW, max_size=3)) for _ in range(2)]
    jobs.sort(key=lambda job: job.id)
    queen.work()
    assert (await queen.ended(jobs[0].id)).state is JobState.SUCCEEDED
    failed = await queen.ended(jobs[1].id)
    assert (failed.state, failed.reason) == (JobState.FAILED, "conflict")
    assert "limit of 3" in failed.message
    assert queen.spec.size == 3


async def test_two_of_one_group_queue_and_others_do_not_wait(queen_record: QueenSeen) -> None:
    plays = Plays()
    plays.hold = True
    queen = await queen_record(plays)
    queen.work()
    left = await queen.run("left")
    await queen.running(left)
    right = await queen.run("right")
    tidy = await queen.run("tidy")
    await queen.running(tidy)
    assert (await queen.ended((await queen.accept()).id)).state is JobState.SUCCEEDED, "scaling never waits for a play"
    assert queen.book.job(right).state is JobState.QUEUED
    plays.hold = False
    assert (await queen.ended(right)).started_at >= (await queen.ended(left)).ended_at
    assert plays.names == ["left", "tidy", "right"]


async def test_no_more_run_at_once_than_the_settings_say(queen_record: QueenSeen) -> None:
    plays = Plays()
    plays.hold = True
    queen = await queen_record(plays)
    queen.work()
    first = [await queen.run(name) for name in ("left", "tidy")]
    await queen.running(*first)
    third = await queen.run("wipe")
    await asyncio.sleep(0.2)
    assert queen.book.job(third).state is JobState.QUEUED
    plays.hold = False
    assert (await queen.ended(third)).state is JobState.SUCCEEDED


async def test_cancelling_one_that_runs_ends_it(queen_record: QueenSeen) -> None:
    plays = Plays()
    plays.hold = True
    queen = await queen_record(plays)
    queen.work()
    job = await queen.run("tidy")
    await queen.running(job)
    await queen.jobs.cancel_job(job, if_revision=None, grant=None, actor="ada")
    done = await queen.ended(job)
    assert (done.state, done.message) == (JobState.CANCELLED, "ada cancelled it")
    assert queen.events() == ["job.queued", "job.started", "job.cancelling", "job.cancelled"]


async def test_what_it_says_is_kept_part_by_part(queen_record: QueenSeen) -> None:
    plays = Plays()
    long = "".join(f"{'x' * 1000}\n" for _ in range(100))
    plays.says = [
        Said(progress=Progress(task="One"), text="first\n", printed=6),
        Said(progress=Progress(task="Two"), text=long, printed=100_106, cut=9),
    ]
    queen = await queen_record(plays)
    queen.work()
    done = await queen.ended(await queen.run("tidy"))
    assert (done.progress.task, done.log_bytes, done.log_cut) == ("Two", 100_106, 9)
    parts = overview.log_parts(queen.reader, done.id, 0)
    assert [number for number, _ in parts] == list(range(done.log_parts))
    assert done.log_parts > 3
    assert "".join(part.text for _, part in parts) == "first\n" + long


async def test_secrets_reach_the_play_and_nothing_else(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    queen.work()
    done = await queen.ended(await queen.run("wipe", password="hunter22"))
    assert queen.plays.ran[0].secrets == {"password": "hunter22"}
    assert done.parameters == {}
    assert b"hunter22" not in b"".join(kv.value for kv in queen.projection.items())


async def test_an_operation_is_given_the_secrets_it_names_as_they_are_when_it_begins(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    with pytest.raises(SecretMissing, match="aware secret set lab"):
        await queen.run("grow")
    await queen.secrets.put(PutSecret(name="lab", value=TextSecret(text="hunter22")), actor="ada")
    job = await queen.run("grow")
    await queen.secrets.put(PutSecret(name="lab", value=TextSecret(text="hunter23")), actor="ada")
    queen.work()
    assert (await queen.ended(job)).state is JobState.SUCCEEDED
    assert queen.plays.ran[0].used == (NamedSecret(name="lab", value=TextSecret(text="hunter23")),)
    queen.plays.hold = True
    first, second = await queen.run("grow"), await queen.run("grow")
    await queen.running(first)
    await queen.secrets.delete("lab", actor="ada")
    queen.plays.hold = False
    assert (await queen.ended(second)).reason == "secret-missing"


@pytest.mark.parametrize(("name", "state", "runs"), [("tidy", JobState.SUCCEEDED, 1), ("wipe", JobState.LOST, 0)])
async def test_what_ran_when_the_queen_fell_starts_again_or_is_lost(
    queen_record: QueenSeen, name: str, state: JobState, runs: int
) -> None:
    plays = Plays()
    plays.hold = True
    first = await queen_record(plays)
    first.work()
    job = await first.run(name)
    async with asyncio.timeout(20):
        while not plays.ran:  # it is on record before it begins
            await asyncio.sleep(0.01)
    await first.end()
    assert plays.ended == 1, "its process ends with the reign"
    second = await queen_record()
    began = time.monotonic()
    second.work()
    waiting = await second.run(name)
    done = await second.ended(job)
    assert time.monotonic() - began >= 0.2, "not before the process of a queen that only hangs has ended too"
    assert (done.state, done.term) == (state, second.writer.term)
    assert (done.attempt, done.reason) == ((2, "") if runs else (1, "interrupted"))
    assert second.events()[-1] in ("job.succeeded", "job.lost", "job.queued", "job.started")
    assert (await second.ended(waiting)).started_at >= done.started_at
    assert len(second.plays.ran) == runs + 1


async def test_an_operation_that_is_gone_fails_its_jobs(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    job = await queen.run("tidy")
    queen.member.found = Found()
    queen.work()
    failed = await queen.ended(job)
    assert (failed.state, failed.reason) == (JobState.FAILED, "unknown-operation")


@pytest.mark.parametrize(
    ("error", "said"), [(AwareError("the disk is full"), "the disk is full"), (RuntimeError("secret"), "this is a bug")]
)
async def test_a_broken_play_fails_its_job_only(queen_record: QueenSeen, error: Exception, said: str) -> None:
    plays = Plays()
    plays.error = error
    queen = await queen_record(plays)
    queen.work()
    failed = await queen.ended(await queen.run("tidy"))
    assert failed.state is JobState.FAILED
    assert said in failed.message
    assert "secret" not in failed.message
    plays.error = None
    assert (await queen.ended(await queen.run("tidy"))).state is JobState.SUCCEEDED


async def test_a_join_waits_for_the_nodes_and_not_for_ever(
    queen_record: QueenSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    queen = await queen_record()
    await queen.client.put(queen.keys.key("spec"), msgspec.json.encode(Spec(colony="demo", size=3)))
    monkeypatch.setattr(worker, "LOOK_S", 0.01)
    queen.work()
    waits = await queen.accept(Order(operation=HookOperation.JOIN))
    await queen.running(waits.id)
    await asyncio.sleep(0.2)
    assert queen.plays.ran == []
    report = Report(name="demo-3", address="127.0.0.1", url="https://127.0.0.1:3", incarnation="i")
    record = Record(id="demo-3", name="demo-3", joined_at=1.0, report=report)
    await queen.client.put(queen.keys.key("nodes", "demo-3"), msgspec.json.encode(record))
    assert (await queen.ended(waits.id)).state is JobState.SUCCEEDED
    await queen.client.delete(queen.keys.key("nodes", "demo-3"))
    late = tuple(msgspec.structs.replace(one, time_limit_s=0.1) for one in book.OPERATIONS)
    monkeypatch.setattr(book, "OPERATIONS", late)
    await asyncio.sleep(0.2)
    failed = await queen.ended((await queen.accept(Order(operation=HookOperation.JOIN))).id)
    assert failed.state is JobState.FAILED
    assert "only 2 of 3 nodes are ready" in failed.message


async def test_history_keeps_what_the_spec_wants(queen_record: QueenSeen, monkeypatch: pytest.MonkeyPatch) -> None:
    plays = Plays()
    plays.says = [Said(progress=Progress(), text="x" * 1000 + "\n", printed=1001)]
    queen = await queen_record(plays)
    spec = Spec(colony="demo", size=2, policies=Policies(jobs=JobPolicy(keep=10)))
    put = await queen.client.put(queen.keys.key("spec"), msgspec.json.encode(spec))
    await queen.projection.wait_revision(put, 20.0)
    monkeypatch.setattr(worker, "MAX_LOGS", 5500)
    queen.work()
    ids = [(await queen.ended(await queen.run("tidy"))).id for _ in range(14)]
    async with asyncio.timeout(20):
        while len(overview.jobs(queen.reader)) > 10 or len(_logs(queen)) > 5:
            await asyncio.sleep(0.01)
    assert [job.id for job in overview.jobs(queen.reader)] == ids[4:]
    assert _logs(queen) == ids[-5:]


def _logs(queen: Reign) -> list[str]:
    start = queen.keys.key("job-logs/")
    return sorted({kv.key[len(start) :].decode().partition("/")[0] for kv in queen.projection.items(start)})


async def test_a_signed_url_leaves_a_line_but_no_secret(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit()
    await queen.hooks.record_signed(use, actor="otto")
    (event,) = [e for e in queen.reader.many("events/", Event).values() if e.type == "hook.signed"]
    assert event.actor == "otto"
    assert use.nonce not in msgspec.json.encode(event).decode()


async def test_the_table_is_on_record_and_told_of_when_it_changes(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    duty = asyncio.create_task(OperationsDuty(queen.writer, queen.member, "demo-1").run())
    try:
        async with asyncio.timeout(20):
            while overview.operations(queen.reader) is None:
                await asyncio.sleep(0.01)
            queen.member.found = Found((), (Problem(file="/etc/x.yml", message="it is not YAML"),))
            for tell in queen.member.listeners:
                tell()
            while not overview.operations(queen.reader).problems:  # type: ignore[union-attr]
                await asyncio.sleep(0.01)
    finally:
        duty.cancel()
        await asyncio.gather(duty, return_exceptions=True)
    record = overview.operations(queen.reader)
    assert record is not None
    assert [one.name for one in record.operations] == ["join", "scale", "verify"]
    assert queen.events("operations.") == ["operations.changed"] * 2
    assert queen.member.listeners == []
