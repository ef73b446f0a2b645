"""What is wanted: the spec, and who should reign."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aware_agent.colony.election import Resign
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Status
from aware_agent.colony.spec import Spec
from aware_agent.queen import overview
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.store import ops


class WishCommands:
    """Writes about the spec and the reign. ``tell`` hands a :class:`Resign` to the election."""

    def __init__(self, writer: FencedWriter, me: str, tell: Callable[[Resign], None]) -> None:
        self._writer = writer
        self._me = me
        self._tell = tell

    async def put_spec(self, spec: Spec, *, if_revision: int | None, actor: str) -> Written:
        """Want something else. Castes follow by themselves."""
        overview.plan_spec(self._writer.reader, spec)  # what cannot be is refused before the write lock is waited for
        async with self._writer.writing():
            data = self._writer.reader.data()
            require_revision(data.spec_revision, if_revision)
            if data.spec == spec:
                return self._writer.unchanged(data.spec_revision)
            key = self._writer.key("spec")
            steps = overview.plan_spec(self._writer.reader, spec).steps
            line = EventDraft("spec.changed", spec.colony, "; ".join(steps[:3]) or "spec changed", Severity.NOTICE)
            guard = ops.modified(key, data.spec_revision) if data.spec_revision else ops.absent(key)
            return await self._writer.commit([ops.put(key, msgspec.json.encode(spec))], [line], actor, [guard])

    async def step_down(self, *, actor: str) -> Written:
        """Hand over to the heir. Refused when nobody could take over."""
        view = self._writer.reader.view()
        if view.heir is None:
            raise Conflict("no other candidate is ready to reign", hint="start another node first")
        return await self._resign("", actor)

    async def transfer(self, node_id: str, *, actor: str) -> Written:
        """Hand over to a named node."""
        node = self._writer.reader.view().find(node_id)
        if node is None:
            raise NotFound(f"no node {node_id!r} in this colony", hint="list them: aware nodes list")
        if node.id == self._me:
            return self._writer.unchanged()
        if node.status is not Status.READY or not node.candidate:
            problem = node.status.value if node.candidate else "not a candidate"
            raise Conflict(f"{node.name} cannot reign: it is {problem}", hint="choose a ready candidate")
        if node.drained:
            raise Conflict(
                f"{node.name} is drained", hint=f"choose another, or first: aware nodes uncordon {node.name}"
            )
        return await self._resign(node.id, actor)

    async def _resign(self, to: str, actor: str) -> Written:
        written = Written(self._writer.reader.view().revision, self._writer.term, True)
        await self._writer.remember(written)  # a moment later this reign writes nothing any more
        self._tell(Resign(to, f"asked by {actor}"))
        return written
