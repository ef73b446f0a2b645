"""The colony as readers see it: one immutable picture per etcd revision."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from aware_agent.colony.away import Away
from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.elastic import leaving, missing_servers, wanted, wanted_size
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.limits import Limit
from aware_agent.colony.load import Loads, LoadView
from aware_agent.colony.node import Capabilities, Labels, Record, Report, Status, effective_labels, process_id
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.spec import Spec
from aware_agent.colony.succession import line_of_succession

SPARE = "spare"
NodeRole = Literal["queen", "heir", "member", "worker"]


class Entry(msgspec.Struct, frozen=True):
    """A node's record with the etcd revision and version of its keys."""

    record: Record
    revision: int
    config_version: int = 0
    config_revision: int = 0
    vars: dict[str, object] = {}


class ColonyData(msgspec.Struct, frozen=True):
    """What a view is made of, decoded from the store at one revision."""

    colony: str
    revision: int
    spec: Spec | None
    spec_revision: int
    queen_record: QueenRecord | None
    term: int
    entries: Mapping[str, Entry]
    presence: Mapping[str, Report]
    castes: Mapping[str, Sequence[str]]
    unreadable: tuple[str, ...] = ()  # ids of nodes whose records nobody can decode
    breakers: tuple[OpenBreaker, ...] = ()  # of what is outside of the colony, and fails
    seats: frozenset[str] | None = None  # ids of nodes that run etcd; None where it is its operators' own
    elastic: Mapping[str, Elastic] = {}  # what castes want that scale


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node as the API shows it."""

    id: str
    name: str
    address: str
    url: str
    role: NodeRole
    status: Status
    status_since: float
    caste: str
    leaving: float | None  # when it leaves its caste, Unix seconds: nothing new shall be given to it; 0: any moment
    pinned: tuple[str, ...]  # addresses an admin gave it, beside its own
    eligible: bool  # an admin let it in as one that may reign
    candidate: bool  # it is eligible and could reign now
    priority: int
    rank: int | None  # 0 is the heir; None for the queen and for nodes that cannot reign
    cordoned: bool
    drained: bool  # and its work goes to others
    over: tuple[Limit, ...]  # limits of the spec that it is over: it gets no new work
    away: Away | None  # status is away as long as it is one
    labels: Labels
    capabilities: Capabilities
    version: str
    joined_at: float
    process: str  # another one after each start of its agent
    origin: str
    config_version: int
    config_applied: bool
    revision: int  # of the record; for If-Match
    vars: dict[str, object] = {}
    last_heartbeat: float | None = None  # when the queen heard it last, by the clock of who answers; None: not known
    load: LoadView | None = None  # None: not known


class QueenView(msgspec.Struct, frozen=True, kw_only=True):
    """Who reigns."""

    id: str
    name: str
    url: str
    term: int
    since: float


class CasteView(msgspec.Struct, frozen=True, kw_only=True):
    """One caste: how many are wanted, who serves (node ids), how many are missing."""

    name: str
    wanted: int
    assigned: tuple[str, ...]
    missing: int


class ColonyView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a reader may want to know at ``revision``."""

    colony: str
    revision: int
    term: int
    queen: QueenView | None
    heir: str | None
    nodes: tuple[NodeView, ...]
    castes: tuple[CasteView, ...]
    spec: Spec | None
    spec_revision: int
    wanted_size: int  # the spec's, and more where castes want more than that; 0 without a spec
    missing_servers: int  # nodes that there are too few for that
    status: Literal["healthy", "degraded", "forming"]
    reason: str
    unreadable: tuple[str, ...] = ()  # ids of nodes whose records nobody can decode
    breakers: tuple[OpenBreaker, ...] = ()  # they say nothing of the colony's own health: status is of that

    def find(self, id_or_name: str) -> NodeView | None:
        """The node of that id or name."""
        return next((n for n in self.nodes if id_or_name in (n.id, n.name)), None)


def build_view(data: ColonyData) -> ColonyView:
    """Make the picture. Pure; the same data gives the same view."""
    queen = _queen(data)
    line = [
        i
        for i in line_of_succession(
            data.presence,
            {i for i, e in data.entries.items() if e.record.eligible},
            {i for i, e in data.entries.items() if e.record.drained or e.record.away},
        )
        if queen is None or i != queen.id
    ]
    rank = {node: place for place, node in enumerate(line)}
    caste_of = {node: name for name, members in data.castes.items() for node in members}
    going: dict[str, float] = {}
    if data.spec is not None:
        for name in data.spec.castes:
            going |= {i: at for i, at in leaving(data.spec, data.elastic, name).items() if caste_of.get(i) == name}
    nodes = tuple(
        sorted(
            (_node(e, data, queen, rank, (caste_of.get(i, SPARE), going.get(i))) for i, e in data.entries.items()),
            key=lambda n: (_natural(n.name), n.id),
        )
    )
    castes = _castes(data)
    status, reason = _status(data, queen, nodes, castes)
    records = {node: entry.record for node, entry in data.entries.items()}
    return ColonyView(
        colony=data.colony,
        revision=data.revision,
        term=data.term,
        queen=queen,
        heir=line[0] if line else None,
        nodes=nodes,
        castes=castes,
        spec=data.spec,
        spec_revision=data.spec_revision,
        wanted_size=wanted_size(data.spec, data.elastic) if data.spec else 0,
        missing_servers=missing_servers(data.spec, data.elastic, records) if data.spec else 0,
        status=status,
        reason=reason,
        unreadable=data.unreadable,
        breakers=data.breakers,
    )


def without_queen(view: ColonyView) -> ColonyView:
    """The same nodes, of which none reigns: for who read it so long ago that her time may be over."""
    if view.queen is None:
        return view
    nodes = tuple(msgspec.structs.replace(n, role="member") if n.role == "queen" else n for n in view.nodes)
    return msgspec.structs.replace(view, queen=None, nodes=nodes)


def with_loads(view: ColonyView, loads: Loads) -> ColonyView:
    """The same picture with what is in no store: how busy the nodes are, and when they were heard."""
    if not loads:
        return view
    nodes = tuple(
        msgspec.structs.replace(node, last_heartbeat=row.last_heartbeat, load=row.load) if row else node
        for node, row in ((node, loads.get(node.id)) for node in view.nodes)
    )
    return msgspec.structs.replace(view, nodes=nodes)


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts demo-2 before demo-10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)


def _queen(data: ColonyData) -> QueenView | None:
    queen_record = data.queen_record
    if queen_record is None:
        return None
    return QueenView(
        id=queen_record.id, name=queen_record.name, url=queen_record.url, term=data.term, since=queen_record.since
    )


def _node(
    entry: Entry,
    data: ColonyData,
    queen: QueenView | None,
    rank: Mapping[str, int],
    work: tuple[str, float | None],
) -> NodeView:
    record = entry.record
    report = data.presence.get(record.id) or record.report
    return NodeView(
        id=record.id,
        name=record.name,
        address=report.address if report else "",
        url=report.url if report else "",
        role=_role(record, data, queen, rank.get(record.id)),
        status=record.status,
        status_since=record.status_since,
        caste=work[0],
        leaving=work[1],
        pinned=record.pinned,
        eligible=record.eligible,
        candidate=record.eligible and report is not None and report.candidate,
        priority=report.priority if report else 0,
        rank=rank.get(record.id),
        cordoned=record.cordoned,
        drained=record.drained,
        over=record.over,
        away=record.away,
        labels=effective_labels(record),
        capabilities=report.capabilities if report else Capabilities(),
        version=report.version if report else "",
        joined_at=record.joined_at,
        process=process_id(report.incarnation) if report else "",
        origin=report.origin if report else "",
        config_version=entry.config_version,
        config_applied=report is not None and report.config_version == entry.config_version,
        revision=entry.revision,
        vars=entry.vars,
    )


def _role(record: Record, data: ColonyData, queen: QueenView | None, rank: int | None) -> NodeRole:
    """What the node is in the council. Where operators run etcd, to sit means to be allowed to reign."""
    if queen and queen.id == record.id:
        return "queen"
    if rank == 0:
        return "heir"
    sits = record.eligible if data.seats is None else record.id in data.seats
    return "member" if sits else "worker"


def _castes(data: ColonyData) -> tuple[CasteView, ...]:
    if data.spec is None:
        return ()
    return tuple(
        CasteView(
            name=name,
            wanted=(count := wanted(data.spec, data.elastic, name)),
            assigned=tuple(data.castes.get(name, ())),
            missing=max(0, count - len(data.castes.get(name, ()))),
        )
        for name in data.spec.castes
    )


def _status(
    data: ColonyData, queen: QueenView | None, nodes: Sequence[NodeView], castes: Sequence[CasteView]
) -> tuple[Literal["healthy", "degraded", "forming"], str]:
    ready = sum(n.status is Status.READY for n in nodes)
    size = data.spec.size if data.spec else 0
    away = [n for n in nodes if n.status is Status.AWAY]
    wanted = size - len(away)  # who was sent away is not missed
    troubled = [n.name for n in nodes if n.status in (Status.SUSPECT, Status.DEAD)]
    gaps = [f"{c.missing} in {c.name}" for c in castes if c.missing > excused(c, away)]
    if queen is None:
        return "degraded", "no queen"
    if data.unreadable:
        return "degraded", f"the record of {_some(data.unreadable)} cannot be read"
    if troubled:
        return "degraded", f"silent or dead: {_some(troubled)}"
    if len(nodes) < size:  # some have never been here, or were removed
        return "forming", f"{ready} of {size} nodes are ready"
    left = [n.name for n in nodes if n.status is Status.LEFT]
    if ready < wanted or gaps:
        return "degraded", f"said good-bye: {_some(left)}" if ready < wanted else "missing " + ", ".join(gaps)
    without = f", away: {_some([n.name for n in away])}" if away else ""
    return "healthy", f"{ready} node{' is' if ready == 1 else 's are'} ready{without}"


def excused(caste: CasteView, nodes: Sequence[NodeView]) -> int:
    """How many nodes the caste may miss, because they were sent away while they served in it."""
    return sum(node.away is not None and node.away.caste == caste.name for node in nodes)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
