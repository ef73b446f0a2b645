"""The queen's duty about servers: look, put on record what shall be, then do it. For one reign.

An intent, the join token its node comes with and the end of the node it replaces are one fenced transaction, before
anything is asked of the provider. What is left to be done follows from the record and a list alone
(:func:`aware_agent.colony.healing.calls`), so the next queen goes on wherever this one fell.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping

import msgspec

from aware_agent.agent.reader import ColonyReader, Unreadable
from aware_agent.colony import healing
from aware_agent.colony.elastic import wanted_size
from aware_agent.colony.errors import Conflict, one_line
from aware_agent.colony.event import COLONY, EventDraft, Severity
from aware_agent.colony.healing import Decision, Healing, Intent, NodeState, Picture, ServerPolicy
from aware_agent.colony.node import Record, Status
from aware_agent.colony.seats import CouncilRecord
from aware_agent.queen.loop import Loop
from aware_agent.queen.nodes import NodeCommands
from aware_agent.queen.servers.provider import CloudTrouble, ListInDoubt, NewServer, Provider, ServerRefused
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.pki import ca_pin
from aware_agent.security.records import CaRecord
from aware_agent.security.sealed import SealBroken, Sealer
from aware_agent.security.token import RANDOM_BYTES, JoinToken, TokenRecord, beacon_key, make_token, verifier
from aware_agent.store import ops

log = logging.getLogger(__name__)

KEY = "servers"
LOOK_S = 30.0  # between two lists of servers although nothing changed
BUSY_S = 5.0  # the same while something is under way
BEGUN_AT_ONCE = 8  # intents of one look; bounds one transaction
RETRY_S, BROKEN_S = 5.0, 60.0


class ServersRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``servers``. ``tokens``: join tokens of open intents by their ids, sealed: a server needs the text."""

    healing: Healing = Healing()
    tokens: dict[str, bytes] = {}
    term: int = 0  # of the queen that wrote this


def server_policy(reader: ColonyReader) -> ServerPolicy | None:
    """What the spec wants of servers."""
    spec = reader.data().spec
    return spec.policies.servers if spec else None


class ServerKeeper:
    """See above. ``policy`` tells what the spec wants; None: nobody keeps servers. ``wall`` shows Unix time."""

    def __init__(
        self,
        writer: FencedWriter,
        sealer: Sealer,
        nodes: NodeCommands,
        provider: Provider,
        policy: Callable[[], ServerPolicy | None],
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._writer, self._sealer, self._nodes, self._provider = writer, sealer, nodes, provider
        self._policy, self._wall = policy, wall
        self._refused: dict[str, str] = {}  # what the provider said of a server, so that it is logged once
        self._loop = Loop("servers", self.once, retry_s=RETRY_S, broken_s=BROKEN_S, least_s=2.0)

    def refresh(self) -> None:
        """Something changed: look again."""
        self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def once(self) -> float | None:
        """One look and its calls. Returns the seconds until the next; None where nobody keeps servers."""
        policy = self._policy()
        if policy is None:
            return None
        resumes = healing.resumes_at(self._record().healing)
        if (pause := resumes - self._wall()) > 0:
            return pause
        try:
            servers = await self._provider.servers()
            while (decision := await self._intend(policy, servers)).more:  # ends, a transaction's worth at a time
                pass
            for call in healing.calls(decision.state, servers) if not decision.doubted else ():
                await self._do(call)
        except ListInDoubt as error:
            await self._doubt(error)
            return LOOK_S
        except CloudTrouble as error:
            log.warning("the provider of servers is in trouble: %s", error.message)
            await self._failed(error)
            return BUSY_S
        await self._answered()
        waits = [BUSY_S if decision.state.intents else LOOK_S]
        if decision.again_at is not None:
            waits.append(max(0.5, decision.again_at - self._wall()))
        return min(waits)

    def _record(self) -> ServersRecord:
        """Raises Unreadable: as if nothing were on record, all would be made and removed once more."""
        return self._writer.reader.vital(KEY, ServersRecord) or ServersRecord()

    # -- on record

    async def _intend(self, policy: ServerPolicy, servers: tuple[healing.Server, ...]) -> Decision:
        """Decide, and write it: from now on the next queen would do it as well."""
        tokens = [self._make_token() for _ in range(BEGUN_AT_ONCE)]
        async with self._writer.writing():
            before, now = self._record(), self._wall()
            issuer = healing.Issuer(self._writer.term, [token.id for token in tokens])
            decision = healing.decide(before.healing, self._picture(servers), policy, now, issuer)
            if decision.state == before.healing:
                return decision
            after = healing.open_intents(decision.state)
            fresh = [token for token in tokens if token.id in after]
            spent = [name for name in before.tokens if name not in after]
            kept = {name: sealed for name, sealed in before.tokens.items() if name in after}
            kept |= {token.id: self._sealer.seal(str(token).encode(), self._place(token.id)) for token in fresh}
            changes = [ops.delete(self._writer.key("tokens", name)) for name in spent]
            replaced = self._replaced(before.healing, after)
            eligible = {record.name for record in replaced if record.eligible}
            for token in fresh:
                intent = after[token.id]
                changes.append(self._token_op(token, intent, now + policy.join_s, eligible=intent.name in eligible))
            guards = [self._writer.guard(self._writer.key(KEY))]
            for record in replaced:
                forgotten = self._nodes.forgetting(record, COLONY)
                changes, guards = [*changes, *forgotten.ops], [*guards, forgotten.guard]
            written = ServersRecord(healing=decision.state, tokens=kept, term=self._writer.term)
            changes.append(ops.put(self._writer.key(KEY), msgspec.json.encode(written)))
            await self._writer.commit(changes, list(decision.lines), COLONY, guards)
            for line in decision.lines:
                log.info("%s", line.message)
        for record in replaced:
            await self._nodes.dismiss(record.id)
        return decision

    def _replaced(self, before: Healing, after: Mapping[str, Intent]) -> list[Record]:
        """Nodes that end with this decision, so that others may come under their names."""
        names = {
            intent.name
            for intent in after.values()
            if intent.kind == "remake" and intent.id not in healing.open_intents(before)
        }
        return [record for record in self._writer.reader.records().values() if record.name in names]

    async def _failed(self, error: CloudTrouble) -> None:
        async with self._writer.writing():
            after = healing.failed(self._record().healing, self._wall())
            lines = []
            if after.failures == healing.PATIENT:
                pause = healing.resumes_at(after) - self._wall()
                said = f"servers are asked for {after.failures} times in vain, the last time: "
                said += f"{one_line(error.message)[:200]}; the next try is in {pause:.0f} s"
                lines = [EventDraft("server.trouble", COLONY, said, Severity.ERROR)]
            await self._note(after, lines)

    async def _doubt(self, error: ListInDoubt) -> None:
        async with self._writer.writing():
            before = self._record().healing
            decision = healing.doubted(before, f"the provider's list cannot be read: {error.message}")
            if decision.state != before:
                log.warning("%s", decision.state.held)
                await self._note(decision.state, list(decision.lines))

    async def _answered(self) -> None:
        async with self._writer.writing():
            before = self._record().healing
            over = [EventDraft("server.trouble-over", COLONY, "the provider of servers answers again")]
            if before.failures:
                await self._note(healing.answered(before), over if before.failures >= healing.PATIENT else [])

    async def _note(self, after: Healing, lines: list[EventDraft]) -> None:
        key = self._writer.key(KEY)
        record = msgspec.structs.replace(self._record(), healing=after, term=self._writer.term)
        changes = [ops.put(key, msgspec.json.encode(record))]
        await self._writer.commit(changes, lines, COLONY, [self._writer.guard(key)])

    # -- what is there

    def _picture(self, servers: tuple[healing.Server, ...]) -> Picture:
        """Raises Unreadable: a node whose record cannot be read was not removed, nor has it no seat."""
        reader = self._writer.reader
        data, records = reader.data(), reader.records()
        assert data.spec is not None
        if unreadable := reader.unreadable_nodes():
            raise Unreadable(f"nodes/{unreadable[0]}")
        council = reader.vital("council", CouncilRecord)
        seated = {seat.node for seat in council.seats} if council else set()
        queen = data.queen_record.id if data.queen_record else ""
        named = {token.id: token.node_name for token in reader.many("tokens/", TokenRecord).values()}
        nodes = [
            NodeState(
                name=record.name,
                status=record.status,
                since=record.status_since,
                id=record.id,
                joined_with=record.joined_with,
                named=named.get(record.joined_with) == record.name,
                queen=record.id == queen,
                seat=record.id in seated,
                eligible=record.eligible,
            )
            for record in records.values()
        ]
        able = [one for one in records.values() if one.eligible and one.status is Status.READY and one.id not in seated]
        return Picture(data.colony, wanted_size(data.spec, data.elastic), nodes, servers, len(able))

    # -- tokens

    def _place(self, token_id: str) -> bytes:
        return self._writer.key(KEY, token_id)

    def _make_token(self) -> JoinToken:
        ca = self._writer.reader.vital("ca", CaRecord)
        if ca is None:
            raise Conflict("this colony has no CA", hint="found it: aware colony found")
        return make_token(ca_pin(ca.certificate.encode()), os.urandom(RANDOM_BYTES))

    def _token_op(self, token: JoinToken, intent: Intent, expires_at: float, *, eligible: bool) -> ops.Op:
        """One use, one name, and no longer than its server is waited for."""
        key = self._writer.key("tokens", token.id)
        record = TokenRecord(
            id=token.id,
            verifier=verifier(token),
            beacon_key=self._sealer.seal(beacon_key(token), key),
            created_at=intent.at,
            created_by=COLONY,
            expires_at=expires_at,
            uses_left=1,
            node_name=intent.name,
            eligible=eligible,
        )
        return ops.put(key, msgspec.json.encode(record))

    # -- calls

    async def _do(self, call: healing.Call) -> None:
        """One call. What the provider refuses about one server is that server's trouble; the others go on."""
        await self._writer.confirm()  # a queen that is deposed asks for nothing any more
        subject = call.server if isinstance(call, healing.Delete) else call.name
        try:
            if isinstance(call, healing.Delete):
                await self._provider.delete(call.server)
            elif (order := self._order(call)) is not None:
                await self._provider.create(order)
            self._refused.pop(subject, None)
        except ServerRefused as error:
            if self._refused.get(subject) != error.message:
                self._refused[subject] = error.message
                log.warning("server %s: %s", subject, error)

    def _order(self, call: healing.Create) -> NewServer | None:
        """None when its token cannot be read any more: it is given up when its time is over."""
        sealed = self._record().tokens.get(call.intent)
        if sealed is None:
            return None
        try:
            token = self._sealer.open(sealed, self._place(call.intent)).decode()
        except SealBroken as error:
            log.warning("the join token of %s is lost: %s", call.name, error)
            return None
        return NewServer(name=call.name, intent=call.intent, term=self._writer.term, token=token)
