"""Orders in a real etcd: accepted once, spent for good, carried out once, taken up by the next queen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.errors import AwareError, Conflict, Deposed, InvalidInput
from aware_agent.colony.event import Event
from aware_agent.colony.hook import HookRecord, HookState, Operation, Order
from aware_agent.colony.node import Record, Report
from aware_agent.colony.spec import CasteSpec, Spec
from aware_agent.colony.view import ColonyView
from aware_agent.queen import hook_worker, hooks, overview, runner
from aware_agent.queen.hook_worker import HookWorker
from aware_agent.queen.hooks import HookCommands, Replayed
from aware_agent.queen.runner import Outcome, RunnerMissing
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.signed_url import Permit
from aware_agent.security.token import base64url
from aware_agent.store.client import EtcdClient
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection

pytestmark = pytest.mark.etcd
GROW = Order(operation=Operation.SCALE, delta=1, caste="web", max_size=6)
VERIFY = Order(operation=Operation.VERIFY)
JOIN = Order(operation=Operation.JOIN)


def permit(uses: int = 1, ttl_s: int = 600, nonce: bytes = b"n" * 16, order: Order = GROW) -> Permit:
    now = int(time.time())
    return Permit(order=order, actor="otto", nonce=base64url(nonce), issued_at=now, expires_at=now + ttl_s, uses=uses)


class Plays:
    """Stands for Ansible, which has a test of its own; says what it was asked."""

    def __init__(self) -> None:
        self.ran: list[Operation] = []
        self.outcome = Outcome(ok=True, message="2 nodes verified")
        self.error: Exception | None = None
        self.hold = False
        self.cancelled = 0

    async def run(self, operation: Operation, view: ColonyView) -> Outcome:
        self.ran.append(operation)
        if self.error:
            raise self.error
        try:
            while self.hold:
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.outcome


class Reign:
    """A queen as far as hooks are concerned."""

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
        self.worker = HookWorker(self.writer, self.plays)
        self.commands = HookCommands(self.writer, self.client, self.require, self.worker.refresh)
        self.missing = False
        self._working: asyncio.Task[None] | None = None
        return self

    def require(self, operation: Operation) -> None:
        if self.missing and operation in runner.PLAYBOOKS:
            raise RunnerMissing("no ansible-runner")

    def work(self) -> None:
        self._working = asyncio.create_task(self.worker.run())

    async def end(self) -> None:
        self.writer.close()
        if self._working:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        await self.projection.aclose()

    async def accept(self, order: Order = GROW, use: Permit | None = None) -> HookRecord:
        return (await self.commands.accept_hook(order, actor="otto", permit=use)).record

    async def ended(self, hook_id: str) -> HookRecord:
        async with asyncio.timeout(20):
            while (record := overview.hook(self.reader, hook_id)).open:
                await asyncio.sleep(0.01)
        return record

    @property
    def spec(self) -> Spec:
        spec = self.reader.data().spec
        assert spec is not None
        return spec

    def events(self, prefix: str = "hook.") -> list[str]:
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


@pytest.fixture
async def queen_record(
    etcd: EmbeddedEtcd, request: pytest.FixtureRequest
) -> AsyncIterator[Callable[..., Awaitable[Reign]]]:
    """QueenRecord one queen after another over a colony of this test's own; two nodes are ready, two are wanted."""
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


QueenSeen = Callable[..., Awaitable[Reign]]


async def test_an_accepted_order_is_written_before_anything_is_done(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    record = await queen.accept()
    assert record.state is HookState.ACCEPTED
    assert record.term == queen.writer.term
    assert overview.hook(queen.reader, record.id) == record
    assert queen.events() == ["hook.accepted"]
    assert queen.spec.size == 2


async def test_scaling_changes_size_and_caste_once(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    queen.work()
    done = await queen.ended((await queen.accept()).id)
    assert (done.state, done.message) == (HookState.DONE, "size 2 became 3")
    assert (queen.spec.size, queen.spec.castes["web"].count) == (3, 2)
    assert queen.events() == ["hook.accepted", "hook.done"]
    assert queen.events("spec.") == ["spec.changed"]
    shrunk = await queen.ended((await queen.accept(Order(operation=Operation.SCALE, delta=-1, caste="web"))).id)
    assert shrunk.state is HookState.DONE
    assert (queen.spec.size, queen.spec.castes["web"].count) == (2, 1)


async def test_the_next_queen_finishes_what_was_accepted_and_nothing_twice(queen_record: QueenSeen) -> None:
    first = await queen_record()
    record = await first.accept()
    await first.end()
    second = await queen_record()
    second.work()
    assert (await second.ended(record.id)).term == second.writer.term
    assert second.spec.size == 3
    await second.end()
    third = await queen_record()
    third.work()
    other = await third.ended((await third.accept()).id)
    assert other.state is HookState.DONE
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
    assert second.events() == ["hook.accepted"]


async def test_ten_at_once_are_one(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit()
    outcomes = await asyncio.gather(*(queen.accept(use=use) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, HookRecord) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Replayed) for outcome in outcomes) == 9


async def test_a_deposed_queen_accepts_nothing_and_spends_nothing(queen_record: QueenSeen) -> None:
    old, use = await queen_record(), permit()
    new = await queen_record()
    with pytest.raises(Deposed):
        await old.accept(use=use)
    assert list(overview.hooks(new.reader)) == []
    assert (await new.accept(use=use)).state is HookState.ACCEPTED


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
    first = await queen.commands.accept_hook(orders["vm-1"], actor="otto", permit=use)
    again = await queen.commands.accept_hook(orders["vm-1"], actor="otto", permit=use)
    assert first.new
    assert not again.new
    assert again.record.id == first.record.id
    await queen.accept(orders["vm-2"], use)
    with pytest.raises(Replayed):
        await queen.accept(orders["vm-3"], use)
    assert not (await queen.commands.accept_hook(orders["vm-2"], actor="otto", permit=use)).new
    assert len(list(overview.hooks(queen.reader))) == 2


async def test_impossible_orders_cost_no_use(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit()
    beyond = msgspec.structs.replace(GROW, delta=5)
    with pytest.raises(Conflict, match="limit"):
        await queen.accept(beyond, use)
    with pytest.raises(InvalidInput, match="no caste"):
        await queen.accept(msgspec.structs.replace(GROW, caste="db"), use)
    with pytest.raises(Conflict, match="size 0"):
        await queen.accept(Order(operation=Operation.SCALE, delta=-2), use)
    queen.missing = True
    with pytest.raises(RunnerMissing):
        await queen.accept(VERIFY, use)
    assert queen.events() == []
    assert (await queen.accept(use=use)).state is HookState.ACCEPTED


async def test_a_limit_reached_meanwhile_fails_the_order(queen_record: QueenSeen) -> None:
    queen = await queen_record()
    records = [await queen.accept(msgspec.structs.replace(GROW, max_size=3)) for _ in range(2)]
    records.sort(key=lambda record: record.id)
    queen.work()
    assert (await queen.ended(records[0].id)).state is HookState.DONE
    failed = await queen.ended(records[1].id)
    assert failed.state is HookState.FAILED
    assert "limit of 3" in failed.message
    assert queen.spec.size == 3
    assert queen.events()[-1] == "hook.failed"


async def test_playbooks_run_one_at_a_time_and_scaling_does_not_wait(queen_record: QueenSeen) -> None:
    plays = Plays()
    plays.hold = True
    queen = await queen_record(plays)
    queen.work()
    verify, join = await queen.accept(VERIFY), await queen.accept(JOIN)
    assert (await queen.ended((await queen.accept()).id)).state is HookState.DONE
    assert plays.ran == [Operation.VERIFY]
    assert overview.hook(queen.reader, verify.id).state is HookState.RUNNING
    assert overview.hook(queen.reader, join.id).state is HookState.ACCEPTED
    plays.hold = False
    assert (await queen.ended(verify.id)).message == "2 nodes verified"
    await queen.ended((await queen.accept(msgspec.structs.replace(GROW, delta=-1, max_size=0))).id)
    assert (await queen.ended(join.id)).state is HookState.DONE
    assert plays.ran == [Operation.VERIFY, Operation.JOIN]


async def test_the_end_of_the_reign_cancels_and_the_next_queen_runs_it_again(queen_record: QueenSeen) -> None:
    plays = Plays()
    plays.hold = True
    first = await queen_record(plays)
    first.work()
    record = await first.accept(VERIFY)
    async with asyncio.timeout(20):
        while not plays.ran:
            await asyncio.sleep(0.01)
    await first.end()
    assert plays.cancelled == 1
    second = await queen_record()
    assert overview.hook(second.reader, record.id).state is HookState.RUNNING
    second.work()
    assert (await second.ended(record.id)).state is HookState.DONE
    assert second.plays.ran == [Operation.VERIFY]


async def test_a_join_waits_for_the_nodes_and_not_for_ever(
    queen_record: QueenSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    queen = await queen_record()
    await queen.client.put(queen.keys.key("spec"), msgspec.json.encode(Spec(colony="demo", size=3)))
    monkeypatch.setattr(hook_worker, "LOOK_S", 0.01)
    queen.work()
    waits = await queen.accept(JOIN)
    await asyncio.sleep(0.2)
    assert queen.plays.ran == []
    report = Report(name="demo-3", address="127.0.0.1", url="https://127.0.0.1:3", incarnation="i")
    record = Record(id="demo-3", name="demo-3", joined_at=1.0, report=report)
    await queen.client.put(queen.keys.key("nodes", "demo-3"), msgspec.json.encode(record))
    assert (await queen.ended(waits.id)).state is HookState.DONE
    await queen.client.delete(queen.keys.key("nodes", "demo-3"))
    await asyncio.sleep(0.2)
    monkeypatch.setattr(hook_worker, "JOIN_S", 0.1)
    failed = await queen.ended((await queen.accept(JOIN)).id)
    assert failed.state is HookState.FAILED
    assert "only 2 of 3 nodes are ready" in failed.message


@pytest.mark.parametrize(
    ("error", "said"), [(AwareError("the disk is full"), "the disk is full"), (RuntimeError("secret"), "this is a bug")]
)
async def test_a_broken_playbook_fails_its_order_only(queen_record: QueenSeen, error: Exception, said: str) -> None:
    plays = Plays()
    plays.error = error
    queen = await queen_record(plays)
    queen.work()
    failed = await queen.ended((await queen.accept(VERIFY)).id)
    assert failed.state is HookState.FAILED
    assert said in failed.message
    assert "secret" not in failed.message
    plays.error = None
    assert (await queen.ended((await queen.accept(VERIFY)).id)).state is HookState.DONE


async def test_open_orders_are_bounded_and_finished_ones_forgotten(
    queen_record: QueenSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "MAX_OPEN", 3)
    monkeypatch.setattr(hooks, "KEEP", 2)
    queen = await queen_record()
    records = [await queen.accept() for _ in range(3)]
    records.sort(key=lambda record: record.id)
    with pytest.raises(Conflict, match="wait already"):
        await queen.accept()
    queen.work()
    for record in records:
        await queen.ended(record.id)
    last = await queen.ended((await queen.accept()).id)
    assert {record.id for record in list(overview.hooks(queen.reader))} == {records[2].id, last.id}


async def test_a_signed_url_leaves_a_line_but_no_secret(queen_record: QueenSeen) -> None:
    queen, use = await queen_record(), permit()
    await queen.commands.record_signed(use, actor="otto")
    (event,) = [e for e in queen.reader.many("events/", Event).values() if e.type == "hook.signed"]
    assert event.actor == "otto"
    assert use.nonce not in msgspec.json.encode(event).decode()


def test_the_table_is_fixed_and_its_playbooks_are_there() -> None:
    playbooks = Path(runner.__file__).parent / "playbooks"
    assert set(runner.PLAYBOOKS) == set(Operation) - {Operation.SCALE}
    for name in runner.PLAYBOOKS.values():
        assert (playbooks / name).is_file()
    with pytest.raises(TypeError):
        runner.PLAYBOOKS[Operation.SCALE] = "x.yml"  # type: ignore[index]


def test_without_ansible_runner_only_playbooks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None)
    runner.require_runner(Operation.SCALE)
    for operation in runner.PLAYBOOKS:
        with pytest.raises(RunnerMissing) as refused:
            runner.require_runner(operation)
        assert "aware-agent[runner]" in refused.value.hint
        assert refused.value.status == 501
