"""A node's readiness to reign, and its reigns one after the other.

``prepare`` makes the heir ready: the whole colony is mirrored and what signs and seals is loaded, so that a failover
costs no loading time. ``begin`` and ``end`` frame one reign. ``end`` closes the writer before it returns; everything
slower is wound up behind it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence

from aware_agent.agent.member.link import Do, Done
from aware_agent.agent.node import Node
from aware_agent.agent.reader import ColonyReader
from aware_agent.background import Background
from aware_agent.colony.audit import Entry
from aware_agent.colony.decision_log import Machine
from aware_agent.colony.errors import AwareError, Deposed
from aware_agent.queen.history import History
from aware_agent.queen.reign import Reign
from aware_agent.store.errors import StoreError
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

log = logging.getLogger(__name__)

RETRY_S = 0.2
READY_S = 5.0  # how long a command waits for a reign that has just been won


class NotReigning(AwareError):
    """This node does not reign under the term the command is for; nothing was done. ``retry_after`` in seconds."""

    code = "not-reigning"
    status = 503
    retry_after = 1

    def __init__(self, term: int) -> None:
        super().__init__(f"this node does not reign under term {term}", hint="repeat it in a moment")
        self.term = term


class Reigns:
    """What :class:`aware_agent.agent.elector.Elector` tells of elections won and lost, for one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._mirror: asyncio.Task[tuple[ColonyReader, History]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = Background("the end of a reign")
        self._reign: Reign | None = None
        self._over = 0  # the last term that ended here
        self._changed = asyncio.Event()
        self.archived = 0  # last line of the audit log that this member's archive holds

    def note(self, member: str, entries: Sequence[Entry], taken: Callable[[], object]) -> bool:
        """See :meth:`Reign.note`; False while this node does not reign."""
        if self._reign is None:
            return False
        self._reign.note(member, entries, taken)
        return True

    def prepare(self) -> None:
        """Mirror the colony, once; the mirror is kept for as long as the agent runs."""
        if self._mirror is None:
            self._mirror = asyncio.get_running_loop().create_task(self._start_mirror())
            # Importing takes a moment; in a thread the loop keeps answering between bytecodes.
            threading.Thread(target=_load_cryptography, name="load-cryptography", daemon=True).start()

    async def reader(self) -> ColonyReader:
        """The colony as it is mirrored here, when that has begun."""
        self.prepare()
        assert self._mirror is not None
        return (await asyncio.shield(self._mirror))[0]

    def begin(self, term: int) -> None:
        """Start reigning."""
        self.prepare()
        self._task = asyncio.get_running_loop().create_task(self._serve(term), name=f"reign {term}")

    def end(self, term: int, reason: str) -> None:
        """Stop reigning: first the writer, then the rest."""
        log.debug("term %d ended: %s", term, reason)
        self._over = max(self._over, term)
        reign, self._reign = self._reign, None
        if reign is not None:
            reign.close()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._ending.adopt(task)
        self._tell_waiting()

    async def close(self) -> None:
        """Wind up everything that still runs."""
        if self._task is not None:
            self.end(0, "the agent stops")
        await self._ending.finish()
        if self._mirror is not None:
            self._mirror.cancel()
            made = (await asyncio.gather(self._mirror, return_exceptions=True))[0]
            if isinstance(made, tuple):
                await made[0].projection.aclose()

    def keeping(self) -> Machine | None:
        """What the council's keeper decided in the present reign, if this node reigns and keeps one."""
        return self._reign.keeping() if self._reign else None

    def seek_key(self, token_id: str, /) -> bytes | None:
        """Beacon key of a join token, if this node reigns and the token is still good."""
        return self._reign.seek_key(token_id) if self._reign else None

    async def execute(self, do: Do) -> Done:
        """Carry out a command under the term it names and no other.

        The gateway may see in etcd that this node won before the election here has heard of it, so a term that has
        not begun is waited for, a moment. One that is over here is not: nobody would wake who waits for it.
        """
        end = asyncio.get_running_loop().time() + READY_S
        while (left := end - asyncio.get_running_loop().time()) > 0:
            if self._reign is not None and self._reign.term == do.term:
                return await self._reign.execute(do)
            if max(self._node.seen_term - 1, self._over) >= do.term or (self._reign and self._reign.term > do.term):
                raise Deposed(do.term)
            changed = self._changed
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                break
        raise NotReigning(do.term)

    def _tell_waiting(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _start_mirror(self) -> tuple[ColonyReader, History]:
        projection = Projection(self._node.client, [self._node.keys.everything()])
        while True:
            try:
                await projection.start()
                break
            except StoreError as error:
                log.warning("cannot mirror the colony: %s", error.message)
                await asyncio.sleep(RETRY_S)
        reader = ColonyReader(projection, self._node.keys)
        history = History(projection, self._node.keys)

        def on_batch(batch: ProjectionBatch) -> None:
            keys = [change.kv.key for change in batch.changes]
            if reader.changed(batch.revision, keys) and self._reign:
                self._reign.changed()
            history.changed(keys, relisted=batch.relisted)

        projection.listen(on_batch)
        return reader, history

    async def _serve(self, term: int) -> None:
        """One reign, from the first look at the colony to its end. The one rule for each way it may end."""
        try:
            reign = await self._took_office(term)
            await reign.run()
        except Deposed as error:
            log.warning(error.message)
            self._node.depose()
        except Exception:  # a bug here must not leave a queen that reigns but does nothing
            log.exception("the queen's duties broke")
            self._node.fail_reign()

    async def _took_office(self, term: int) -> Reign:
        """The reign, on a picture that contains its beginning."""
        assert self._mirror is not None
        reader, history = await asyncio.shield(self._mirror)
        while not await reader.projection.wait_revision(term, 1.0):
            log.warning("waiting to see my own election of term %d", term)
        reign = self._reign = Reign(self._node, reader, history, term, lambda: self.archived)
        self._tell_waiting()
        return reign


def _load_cryptography() -> None:
    import cryptography.hazmat.primitives.ciphers.aead
    import cryptography.x509  # noqa: F401
