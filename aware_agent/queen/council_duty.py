"""The council's keeper, and who gives room back in its etcd, as one duty of a reign.

What they have to know comes out of the colony's records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from aware_agent.colony.council_move import Situation
from aware_agent.colony.decision_log import Machine
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.node import EtcdReport, Report
from aware_agent.colony.rotation import Trust
from aware_agent.colony.seats import (
    AddLearner,
    Candidate,
    Council,
    CouncilRecord,
    GiveSeat,
    SeatMove,
    SeatRecord,
    Step,
    TakeSeat,
)
from aware_agent.colony.spec import CouncilSpec
from aware_agent.queen.certificates import COUNCIL_CA, Certificates
from aware_agent.queen.council_keeper import CouncilKeeper
from aware_agent.queen.loop import Loop
from aware_agent.queen.maintenance import Maintenance
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.keyring import fingerprint
from aware_agent.store import ops
from aware_agent.store.connections import Credentials
from aware_agent.store.members import Members

RETRY_S = 5.0
BROKEN_S = 30.0
_ROOT_S = 1800.0  # a root certificate is good for longer


class CouncilDuty:
    """For one reign. ``etcd`` tells where etcd is reached now, ``bundle`` which council CAs are believed, ``restarts``
    of which node the agent was told to restart."""

    def __init__(
        self,
        writer: FencedWriter,
        certificates: Certificates,
        me: str,
        etcd: Callable[[], tuple[str, ...]],
        bundle: Callable[[], bytes],
        *,
        restarts: Callable[[str], bool] = lambda _node: False,
    ) -> None:
        self._colony = RecordedColony(writer, me, restarts)
        self._certificates = certificates
        self._etcd = etcd
        self._bundle = bundle
        self._members: Members | None = None
        self._keeper: CouncilKeeper | None = None
        self._maintenance: Maintenance | None = None
        self._made_for: tuple[tuple[str, ...], bytes, bytes] | None = None
        self._made_at = 0.0
        self._loop = Loop("council", self._once, retry_s=RETRY_S, broken_s=BROKEN_S)

    def refresh(self) -> None:
        """The spec or a node changed: look now."""
        self._loop.refresh()

    def situation(self) -> Situation:
        """What is known of the council now, for who asks to change it."""
        return Situation(
            spec=self._colony.council_spec(),
            record=self._colony.council() or CouncilRecord(seats=()),
            candidates=self._colony.candidates(),
            queen=self._colony.me,
            pending=self._colony.move(),
            state=self._keeper.state if self._keeper else Council(),
            now=time.time(),
        )

    def keeping(self) -> Machine | None:
        """What the keeper knows and decided, once it has begun."""
        return Machine(self._keeper.state, self._keeper.decisions) if self._keeper else None

    def keeps_etcd(self) -> bool:
        """Whether all members of etcd are the colony's own: their agents start and restart them."""
        known = self._colony.council()
        return self._colony.council_spec() is not None and known is not None and bool(known.endpoints)

    async def run(self) -> None:
        """Keep the council until cancelled. Raises Deposed."""
        try:
            await self._loop.run()
        finally:
            if self._members is not None:
                await self._members.aclose()

    async def _once(self) -> float:
        if self._colony.council_spec() is None:
            return 10.0
        keeper, maintenance = await self._keepers_now()
        # One after the other: no member pauses while the council changes, and it does not change while one does.
        candidates = self._colony.candidates()
        restarts = any(candidate.restarts for candidate in candidates)
        quiet = keeper.settled and not restarts
        pause = await maintenance.work(quiet=quiet, hosts={candidate.id: candidate for candidate in candidates})
        if maintenance.holds:  # each step of the keeper is written down before it is made, which a full etcd refuses
            return pause
        return min(pause, await keeper.work())

    async def _keepers_now(self) -> tuple[CouncilKeeper, Maintenance]:
        """Both, over connections to the members of now with credentials that are still good."""
        etcd = self._etcd()
        # After a rotation etcd refuses what the CA of before signed: without new credentials every member seems lost.
        wanted = etcd, self._bundle(), self._certificates.ca(COUNCIL_CA).certificate
        fresh = wanted == self._made_for and time.monotonic() - self._made_at < _ROOT_S
        if self._keeper is not None and self._maintenance is not None and fresh:
            return self._keeper, self._maintenance
        old, self._members = self._members, Members(etcd, self._credentials)
        self._made_for, self._made_at = wanted, time.monotonic()
        if self._keeper is None or self._maintenance is None:
            self._keeper = CouncilKeeper(self._colony, self._members)
            self._maintenance = Maintenance(self._colony, self._members)
        else:
            self._keeper.use(self._members)
            self._maintenance.use(self._members)
        if old is not None:
            await old.aclose()
        return self._keeper, self._maintenance

    def _credentials(self) -> Credentials:
        return self._certificates.root_credentials(self._bundle())


class RecordedColony:
    """The keeper's view of the colony: records in, fenced writes out."""

    def __init__(self, writer: FencedWriter, me: str, restarts: Callable[[str], bool] = lambda _node: False) -> None:
        self._writer = writer
        self._restarts = restarts
        self.me = me

    def council_spec(self) -> CouncilSpec | None:
        """Of the spec."""
        spec = self._writer.reader.data().spec
        return spec.council if spec else None

    def council(self) -> CouncilRecord | None:
        """Who the members are, as was told last."""
        return self._writer.reader.one("council", CouncilRecord)

    def candidates(self) -> tuple[Candidate, ...]:
        """Nodes that an admin let in as eligible."""
        trust = self._writer.reader.one("pki", Trust)
        wanted = fingerprint(trust.council_ca.encode()) if trust and trust.council_ca else ""
        return tuple(
            Candidate(
                id=record.id,
                name=record.name,
                zone=record.report.capabilities.zone if record.report else "",
                status=record.status,
                status_since=record.status_since,
                restarts=self._restarts(record.id) or _has_to_restart(record.report, wanted),
                cordoned=record.cordoned,
                **_offered(record.report.etcd if record.report else None),
            )
            for record in self._writer.reader.records().values()
            if record.eligible
        )

    def peer_url(self, node: str) -> str:
        """What the node reports."""
        record = self._writer.reader.records().get(node)
        return record.report.etcd.peer_url if record and record.report and record.report.etcd else ""

    def seats(self) -> Mapping[str, SeatRecord]:
        """What nodes were told."""
        return self._writer.reader.many("seats/", SeatRecord)

    def move(self) -> SeatMove | None:
        """What an admin asked for, see :mod:`council_commands`."""
        return self._writer.reader.one("council-move", SeatMove)

    async def end_move(self) -> None:
        """Raises Deposed, StoreError."""
        await self._write([ops.delete(self._writer.key("council-move"))], [])

    async def publish(self, council: CouncilRecord) -> None:
        """Write ``council`` when it is another one. Raises Deposed, StoreError."""
        known = self.council()
        council = msgspec.structs.replace(council, term=known.term if known else self._writer.term)
        if council != known:
            council = msgspec.structs.replace(council, term=self._writer.term)
            await self._write([ops.put(self._writer.key("council"), msgspec.json.encode(council))], [])

    async def announce(self, step: Step, sentence: str) -> None:
        """Into the history. Raises Deposed, StoreError."""
        node = step.node if isinstance(step, AddLearner | GiveSeat | TakeSeat) else ""
        line = EventDraft(f"council.{_NAMES[type(step).__name__]}", node or "council", sentence, Severity.NOTICE, {})
        await self._write([], [line])

    async def confirm(self) -> None:
        """Raises Deposed, StoreError."""
        await self._writer.confirm()

    async def tell(self, kind: str, sentence: str, severity: Severity) -> None:
        """Into the history. Raises Deposed, StoreError."""
        await self._write([], [EventDraft(kind, "council", sentence, severity, {})])

    async def give_seat(self, node: str, seat: SeatRecord) -> None:
        """Raises Deposed, StoreError."""
        seat = msgspec.structs.replace(seat, term=self._writer.term)
        await self._write([ops.put(self._writer.key("seats", node), msgspec.json.encode(seat))], [])

    async def take_seat(self, node: str) -> None:
        """Raises Deposed, StoreError."""
        await self._write([ops.delete(self._writer.key("seats", node))], [])

    async def _write(self, changes: list[ops.Op], lines: list[EventDraft]) -> None:
        async with self._writer.writing():
            await self._writer.commit(changes, lines, self.me)


def _offered(etcd: EtcdReport | None) -> dict[str, Any]:
    """What a candidate has for a seat."""
    if etcd is None:
        return {"etcd": False, "free_mib": 0}
    return {"etcd": True, "free_mib": etcd.free_mib, "quota_mib": etcd.quota_mib}


def _has_to_restart(report: Report | None, wanted: str) -> bool:
    """Whether its etcd believes other CAs than those of now, which it reads at its start only."""
    believes = report.etcd.believes if report and report.etcd else ""
    return bool(wanted and believes) and believes != wanted


_NAMES = {
    "AddLearner": "learner_added",
    "GiveSeat": "seat_given",
    "TakeSeat": "seat_taken",
    "Promote": "member_promoted",
    "Remove": "member_removed",
    "MoveLeader": "leader_moved",
    "EndMove": "move_ended",
}
