"""What is wanted: the spec, and who should reign."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aware_agent.colony import plan as planning
from aware_agent.colony.election import Resign
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Status
from aware_agent.colony.plan import Plan
from aware_agent.colony.spec import Spec, check_spec
from aware_agent.queen.ledger import Ledger, Line, Written, require_revision
from aware_agent.store import ops


class WishCommands:
    """Writes about the spec and the throne. ``tell`` hands a :class:`Resign` to the election."""

    def __init__(self, ledger: Ledger, me: str, tell: Callable[[Resign], None]) -> None:
        self._ledger = ledger
        self._me = me
        self._tell = tell

    def plan_spec(self, spec: Spec) -> Plan:
        """What applying ``spec`` would do."""
        self._check(spec)
        data = self._ledger.reader.data()
        return planning.plan(data.spec, spec, self._ledger.reader.records(), data.castes, self._me)

    async def put_spec(self, spec: Spec, *, if_revision: int | None, actor: str) -> Written:
        """Want something else. Castes follow by themselves."""
        self._check(spec)
        async with self._ledger.writing():
            data = self._ledger.reader.data()
            require_revision(data.spec_revision, if_revision)
            if data.spec == spec:
                return self._ledger.unchanged()
            key = self._ledger.key("spec")
            steps = self.plan_spec(spec).steps
            line = Line("spec.changed", spec.colony, "; ".join(steps[:3]) or "spec changed", Severity.NOTICE)
            guard = ops.modified(key, data.spec_revision) if data.spec_revision else ops.absent(key)
            return await self._ledger.commit([ops.put(key, msgspec.json.encode(spec))], [line], actor, [guard])

    async def step_down(self, *, actor: str) -> Written:
        """Hand over to the heir. Refused when nobody could take over."""
        view = self._ledger.reader.view()
        if view.heir is None:
            raise Conflict("no other candidate is ready to reign", hint="start another node first")
        return self._resign("", actor)

    async def transfer(self, node_id: str, *, actor: str) -> Written:
        """Hand over to a named node."""
        node = self._ledger.reader.view().find(node_id)
        if node is None:
            raise NotFound(f"no node {node_id!r} in this colony", hint="list them: aware nodes list")
        if node.id == self._me:
            return self._ledger.unchanged()
        if node.status is not Status.READY or not node.candidate:
            problem = node.status.value if node.candidate else "not a candidate"
            raise Conflict(f"{node.name} cannot reign: it is {problem}", hint="choose a ready candidate")
        return self._resign(node.id, actor)

    def _resign(self, to: str, actor: str) -> Written:
        self._tell(Resign(to, f"asked by {actor}"))
        return Written(self._ledger.reader.view().revision, self._ledger.term, True)

    def _check(self, spec: Spec) -> None:
        check_spec(spec)
        if spec.colony != self._ledger.reader.keys.colony:
            raise InvalidInput(
                f"spec: it is for colony {spec.colony!r}, this is {self._ledger.reader.keys.colony!r}", field="colony"
            )
