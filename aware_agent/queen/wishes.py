"""What is wanted: the spec, and who should reign."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aware_agent.colony.difference import differences, in_words, plain
from aware_agent.colony.election import Resign
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Status
from aware_agent.colony.spec import MAX_SPEC_BYTES, Policies, Spec
from aware_agent.colony.version import SPEC_BOUNDS
from aware_agent.queen import overview, versions
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.security.governed import check_governed, governed_changes
from aware_agent.security.grant import Grant
from aware_agent.store import ops


class WishCommands:
    """Writes about the spec and the reign. ``tell`` hands a :class:`Resign` to the election."""

    def __init__(self, writer: FencedWriter, me: str, tell: Callable[[Resign], None]) -> None:
        self._writer = writer
        self._me = me
        self._tell = tell

    async def put_spec(self, spec: Spec, *, if_revision: int | None, actor: str, grant: Grant | None = None) -> Written:
        """Want something else. Castes follow by themselves. Raises Forbidden for what ``grant`` may not change."""
        overview.plan_spec(self._writer.reader, spec)  # what cannot be is refused before the write lock is waited for
        async with self._writer.writing():
            return await self._put(spec, if_revision, actor, "", grant)

    async def roll_back_spec(
        self, revision: int, *, if_revision: int | None, actor: str, grant: Grant | None = None
    ) -> Written:
        """Want again what was wanted at ``revision``, by a new write.

        Raises NotFound and VersionForgotten when that is not known, Conflict when it is not possible any more.
        """
        async with self._writer.writing():
            spec = overview.spec_to_return_to(self._writer.reader, revision)
            return await self._put(spec, if_revision, actor, f"back to the spec of revision {revision}: ", grant)

    async def _put(self, spec: Spec, if_revision: int | None, actor: str, lead: str, grant: Grant | None) -> Written:
        data = self._writer.reader.data()
        require_revision(data.spec_revision, if_revision)
        if grant is not None:
            check_governed(data.spec, spec, grant)
        if data.spec == spec:
            return self._writer.unchanged(data.spec_revision)
        steps = overview.plan_spec(self._writer.reader, spec).steps
        said = lead + ("; ".join(steps[:3]) or "spec changed")
        changes, line, guard = spec_change(self._writer, spec, actor, said)
        return await self._writer.commit(changes, [line], actor, [guard], note=policy_change(data.spec, spec))

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
        about_to(f"{actor} hands the reign over")
        async with self._writer.writing():  # a moment later this reign writes nothing any more
            note = f"the reign of term {self._writer.term} goes to {to or 'the heir'}"
            await self._writer.commit([], [], actor, answer=written, note=note)
        self._tell(Resign(to, f"asked by {actor}"))
        return written


def policy_change(before: Spec | None, after: Spec) -> str:
    """What becomes of policies, from what to what, for the audit log; those of security-admins first."""
    governed = governed_changes(before, after)
    changes = differences(_whole(before.policies if before else Policies()), _whole(after.policies))
    told = [(f"policies.{change.path[0]}" not in governed, f"policies.{in_words(change)}") for change in changes]
    return "; ".join(text for _, text in sorted(told))


def _whole(policies: Policies) -> dict[str, object]:
    """With what is as it is by default, which is left out elsewhere."""
    return {name: msgspec.to_builtins(value) for name, value in msgspec.structs.asdict(policies).items()}


def spec_change(
    writer: FencedWriter, spec: Spec, actor: str, said: str
) -> tuple[list[ops.Op], EventDraft, ops.Compare]:
    """What puts ``spec``: the writes, the event that tells from what to what, and what has to hold.

    Raises InvalidInput for one that is too large to be kept in every version.
    """
    raw = msgspec.json.encode(spec)
    if len(raw) > MAX_SPEC_BYTES:
        raise InvalidInput(f"spec: it has {len(raw)} bytes", hint=f"at most {MAX_SPEC_BYTES}")
    data, key = writer.reader.data(), writer.key(versions.SPEC)
    told = {"changes": msgspec.to_builtins(differences(plain(data.spec), plain(spec)))}
    line = EventDraft("spec.changed", spec.colony, said, Severity.NOTICE, told)
    kept = versions.keep(writer, versions.SPEC, spec, SPEC_BOUNDS, actor=actor, message=said)
    guard = ops.modified(key, data.spec_revision) if data.spec_revision else ops.absent(key)
    return [ops.put(key, raw), *kept], line, guard
