"""One simulated reign: the real fenced writer, reconciler and council keeper, over the wires of one agent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aware_agent.agent.duties import Duty, run_duties
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.decision_log import Machine
from aware_agent.colony.errors import Deposed
from aware_agent.colony.node import Report
from aware_agent.queen.council_duty import RecordedColony
from aware_agent.queen.council_keeper import CouncilKeeper
from aware_agent.queen.history import History
from aware_agent.queen.loop import Loop
from aware_agent.queen.once import OnceBook
from aware_agent.queen.present import Present
from aware_agent.queen.reconcile import Reconciler
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.keyring import Keyring
from aware_agent.security.sealed import KeyringSealer
from aware_agent.simulator.peers import WireMembers
from aware_agent.store.errors import StoreError
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

if TYPE_CHECKING:
    from aware_agent.simulator.agent import Agent

RETRY_S = 0.2
KEEPER_RETRY_S = 5.0


class NoWorkers:
    """Every node here is eligible, so nobody is known by its channel. Implements :class:`queen.present.Channels`."""

    def present(self) -> Mapping[str, Report]:
        """Nobody."""
        return {}

    def take_twins(self) -> Mapping[str, str]:
        """None."""
        return {}

    def take_absurd(self) -> Mapping[str, str]:
        """None."""
        return {}


class SimReigns:
    """The reigns of one agent, one after the other; the copy of the whole colony is kept between them."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._mirror: asyncio.Task[tuple[ColonyReader, History]] | None = None
        self._writer: FencedWriter | None = None
        self._reconciler: Reconciler | None = None
        self._task: asyncio.Task[None] | None = None
        self._keeper: CouncilKeeper | None = None

    @property
    def mirrors(self) -> bool:
        """Whether it watches the whole colony."""
        return self._mirror is not None

    def begin(self, term: int) -> None:
        """Start the duties of ``term``."""
        if self._mirror is None:
            self._mirror = self._agent.loop.create_task(self._start_mirror(), name="mirror")
        self._task = self._agent.loop.create_task(self._serve(term), name=f"reign {term}")

    def end(self) -> None:
        """No write is started after this returns."""
        if self._writer is not None:
            self._writer.close()
        if self._task is not None:
            self._task.cancel()
        self._writer = self._reconciler = self._task = self._keeper = None

    def keeping(self) -> Machine | None:
        """What the council's keeper knows and decided, in the present reign."""
        return Machine(self._keeper.state, self._keeper.decisions) if self._keeper else None

    async def _start_mirror(self) -> tuple[ColonyReader, History]:
        keys = self._agent.world.keys
        projection = Projection(self._agent.store, [keys.everything()])
        while True:
            try:
                await projection.start()
                break
            except StoreError:
                await asyncio.sleep(RETRY_S)
        reader, history = ColonyReader(projection, keys), History(projection, keys)

        def on_batch(batch: ProjectionBatch) -> None:
            changed = [change.kv.key for change in batch.changes]
            if reader.changed(batch.revision, changed) and self._reconciler is not None:
                self._reconciler.refresh()
            history.changed(changed, relisted=batch.relisted)

        projection.listen(on_batch)
        return reader, history

    async def _serve(self, term: int) -> None:
        assert self._mirror is not None
        reader, history = await asyncio.shield(self._mirror)
        while not await reader.projection.wait_revision(term, 1.0):
            continue
        agent = self._agent
        writer = self._writer = FencedWriter(agent.store, reader, term)
        present = Present(reader, NoWorkers(), agent.now)
        requests = OnceBook(writer, KeyringSealer(Keyring(1, {1: b"s" * 32})))
        me, wall = agent.host.id, agent.wall
        reconciler = Reconciler(writer, history, me, present, requests.old, wall=wall, clock=agent.now)
        self._reconciler = reconciler
        keeper = self._keeper = CouncilKeeper(RecordedColony(writer, me), WireMembers(agent), agent.wall)
        council = Loop("council", keeper.work, retry_s=KEEPER_RETRY_S, broken_s=None)
        try:
            await run_duties(
                [Duty("reconcile", reconciler.run), Duty("council", council.run)], asyncio.Event(), _nothing
            )
        except Deposed:
            agent.deposed()


async def _nothing() -> None:
    """Nothing is left to do."""
