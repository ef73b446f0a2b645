"""A node's readiness to reign, and its reigns.

``prepare`` makes the heir ready: the whole colony is mirrored and the gateway's packages are loaded, so that a crash
costs no loading time. ``begin`` and ``end`` frame one reign. ``end`` closes the pen before it returns; everything
slower (streams, tasks) is wound up behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from aware_agent.agent.node import Node
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.errors import Deposed
from aware_agent.colony.view import ColonyView
from aware_agent.queen.backup.keeper import BackupKeeper
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.commands import Commands
from aware_agent.queen.etcd_probe import EtcdProbe
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.history import EventBatch, History
from aware_agent.queen.hook_worker import HookWorker
from aware_agent.queen.ledger import Ledger
from aware_agent.queen.reconcile import Reconciler
from aware_agent.queen.rotation import Rotation
from aware_agent.queen.runner import PlaybookRunner
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.token import TokenRecord
from aware_agent.store.errors import StoreError, StoreUnreachable
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

log = logging.getLogger(__name__)

RETRY_S = 0.2


class Door(Protocol):
    """The switch in front of the gateway."""

    def begin(self, reign: Any) -> None:
        """Serve ``reign`` from now on."""

    async def end(self, reason: str = ...) -> None:
        """Serve the worker's answers again."""


class QueenContext:
    """What the gateway reads and commands during one reign."""

    def __init__(self, node: Node, reader: ColonyReader, history: History, commands: Commands) -> None:
        self._node = node
        self._reader = reader
        self._history = history
        self.me = node.id
        self.commands = commands
        self.settings = node.settings
        self.projection = reader.projection

    @property
    def ca_pem(self) -> bytes:
        """The CAs the colony believes now."""
        return self._node.ca_pem

    @property
    def colony_secrets(self) -> tuple[bytes, ...]:
        """The colony secret in the generations that are believed, the one that signs first."""
        return self._node.keyring.secrets

    @property
    def colony_secret(self) -> bytes:
        """The one that signs."""
        return self._node.secret

    def queen_url(self) -> str | None:
        """None: this node is the queen."""
        return None

    def ready(self) -> tuple[bool, str]:
        """As the node says."""
        return self._node.ready()

    def families(self) -> Iterable[Any]:
        """Metrics of the agent."""
        return self._node.families()

    def view(self) -> ColonyView:
        """The picture of now."""
        return self._reader.view()

    async def wait_revision(self, revision: int) -> None:
        """Wait until the picture is at least of ``revision``."""
        if not await self.projection.wait_revision(revision, 5.0):
            raise StoreUnreachable(f"revision {revision} has not come through yet", hint="retry")

    @property
    def oldest_event_revision(self) -> int:
        """Revision of the oldest event kept."""
        return self._history.oldest

    def events(self, since: int, limit: int) -> EventBatch:
        """Events after ``since``."""
        return self._history.since(since, limit)

    def subscribe_events(self, callback: Callable[[EventBatch], None]) -> Callable[[], None]:
        """New events as they come."""
        return self._history.subscribe(callback)


class Court:
    """Implements :class:`aware_agent.agent.throne.Court` for one node."""

    def __init__(self, node: Node, door: Door, make_app: Callable[[QueenContext], Any]) -> None:
        self._node = node
        self._door = door
        self._make_app = make_app
        self._mirror: asyncio.Task[ColonyReader] | None = None
        self._history: History | None = None
        self._ledger: Ledger | None = None
        self._reconciler: Reconciler | None = None
        self._keeper: BackupKeeper | None = None
        self._rotation: Rotation | None = None
        self._reign: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Mirror the colony, once; the mirror is kept for as long as the agent runs."""
        if self._mirror is None:
            self._mirror = asyncio.get_running_loop().create_task(self._start_mirror())

    def begin(self, term: int) -> None:
        """Start reigning."""
        self.prepare()
        self._reign = asyncio.get_running_loop().create_task(self._serve(term))

    def end(self, term: int, reason: str) -> None:
        """Stop reigning: first the pen, then the rest."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        self._reconciler = self._keeper = self._rotation = None
        if self._reign is not None:
            self._reign.cancel()
            self._reign = None
        self._start(self._door.end(f"term {term} ended: {reason}"))

    async def close(self) -> None:
        """Wind up everything that still runs."""
        if self._reign is not None:
            self._reign.cancel()
            await asyncio.gather(self._reign, return_exceptions=True)
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._mirror is not None:
            self._mirror.cancel()
            reader = (await asyncio.gather(self._mirror, return_exceptions=True))[0]
            if isinstance(reader, ColonyReader):
                await reader.projection.aclose()

    def seek_key(self, token_id: str) -> bytes | None:
        """The beacon key of a join token, if this node reigns and the token is still good."""
        if self._ledger is None:
            return None
        record = self._ledger.reader.many("tokens/", TokenRecord).get(token_id)
        if record is None or record.uses_left == 0:
            return None
        return KeyringSealer(self._node.keyring).open(record.beacon_key, self._ledger.key("tokens", token_id))

    async def _start_mirror(self) -> ColonyReader:
        projection = Projection(self._node.client, [self._node.keys.everything()])
        while True:
            try:
                await projection.start()
                break
            except StoreError as error:
                log.warning("cannot mirror the colony: %s", error.message)
                await asyncio.sleep(RETRY_S)
        reader = ColonyReader(projection, self._node.keys)
        history = self._history = History(projection, self._node.keys)

        def on_batch(batch: ProjectionBatch) -> None:
            keys = [change.kv.key for change in batch.changes]
            if reader.changed(batch.revision, keys):
                for duty in (self._reconciler, self._keeper, self._rotation):
                    if duty:
                        duty.nudge()
            history.changed(keys, relisted=batch.relisted)

        projection.listen(on_batch)
        return reader

    async def _serve(self, term: int) -> None:
        """One reign, from the first look at the colony to its end by cancellation."""
        try:
            await self._reconcile(term)
        except Deposed as error:
            log.warning(error.message)
            self._node.depose()
        except Exception:  # a bug here must not leave a queen that reigns but does nothing
            log.exception("the queen's duties broke")
            self._node.fail_reign()

    async def _reconcile(self, term: int) -> None:
        """Open the gateway and do the steady work, both on a picture that contains this reign's beginning."""
        assert self._mirror is not None
        reader = await asyncio.shield(self._mirror)
        history = self._history
        assert history is not None
        while not await reader.projection.wait_revision(term, 1.0):
            log.warning("waiting to see my own crown of term %d", term)
        ledger = self._ledger = Ledger(self._node.client, reader, term)
        runs = Path(self._node.settings.state_dir) / "runs"
        orders = HookWorker(ledger, PlaybookRunner(runs, self._node.ca_pem))
        keeper = self._keeper = BackupKeeper(ledger, self._node.settings, self._node.etcd)
        sealer = KeyringSealer(self._node.keyring)
        certificates = Certificates(ledger, self._node.keyring, sealer, lambda: self._node.etcd)
        users = EtcdUsers(ledger, certificates, self._node.etcd, lambda: self._node.ca_pem)
        probe = EtcdProbe(certificates, self._node.id, self._node.etcd)
        rotation = self._rotation = Rotation(ledger, certificates, probe)
        commands = Commands(
            ledger,
            self._node.client,
            me=self._node.id,
            certificates=certificates,
            sealer=sealer,
            users=users,
            rotation=rotation,
            tell=self._node.resign,
            nudge_hooks=orders.nudge,
            nudge_backups=keeper.nudge,
        )
        self._door.begin(self._make_app(QueenContext(self._node, reader, history, commands)))
        self._reconciler = Reconciler(ledger, history, self._node.id)
        working = [asyncio.create_task(work) for work in (orders.run(), keeper.run(), users.run(), rotation.run())]
        try:
            await self._reconciler.run()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
