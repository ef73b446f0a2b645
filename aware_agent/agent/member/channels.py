"""The channels that end at this council member: who has one, what they report, and how to order them about."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from aware_agent import tracing
from aware_agent.agent.certificate_fields import key_pin
from aware_agent.agent.channel_state import ChannelState
from aware_agent.agent.member.news import News, Told
from aware_agent.agent.orders import Orders
from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.settings import ChannelSettings
from aware_agent.channel.frames import Announcement, AuditNotes, AuditTaken, FromMember, NodeOrder, Why
from aware_agent.channel.server import ChannelServer
from aware_agent.channel.session import Session
from aware_agent.channel.tls import server_context
from aware_agent.colony.audit import Entry
from aware_agent.colony.connection import beat_interval
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.load import read_load
from aware_agent.colony.node import Record, Report
from aware_agent.colony.trace import SpanKind
from aware_agent.listening import listen
from aware_agent.telemetry import Family, counter

log = logging.getLogger(__name__)

TakeNotes = Callable[[str, Sequence[Entry], Callable[[], object]], None]
TWIN_EVERY_S = 60.0  # how often one twin is complained of
ABSURD_EVERY_S = 3600.0  # how often one node whose loads cannot be
MAX_TWINS = 1000
SILENCE_S = 30.0  # a node that takes no byte for so long is gone


class MemberChannels:
    """Implements :class:`aware_agent.channel.server.Registry` with what the colony's records say."""

    def __init__(
        self,
        me: str,
        settings: ChannelSettings,
        files: tuple[Path, Path],
        reader: Callable[[], ColonyReader | None],
        orders: Orders,
    ) -> None:
        self._me = me
        self._settings = settings
        self._files = files  # certificate, key
        self._reader = reader
        self._news: News | None = None
        self._told: dict[str, Told] = {}
        self._left: dict[str, Report] = {}  # workers that said good-bye
        self._listeners: list[Callable[[], None]] = []
        self._orders = orders
        self.take_notes: TakeNotes | None = None  # of the queen, while this member reigns
        self._ca = b""
        self._server: ChannelServer | None = None
        self._twins: dict[str, float] = {}
        self._unsaid: dict[str, str] = {}  # twins the history knows nothing of yet, and where they called from
        self._absurd: dict[str, float] = {}  # nodes that told an absurd load, and when it was said last
        self._unsaid_absurd: dict[str, str] = {}  # those the history knows nothing of yet, and what was wrong
        self._refused_loads = 0
        self.gone: Callable[[Session], None] = lambda _session: None  # hears of each channel that ends
        self._wall = time.time() - time.monotonic()

    async def start(self, ca: bytes) -> None:
        """Listen. Raises PortInUse, AddressMissing, InvalidInput."""
        self._ca = ca
        context = server_context(*self._files, ca)
        listener = listen(self._settings.bind, self._settings.port, "channel", silence_s=SILENCE_S)
        self._server = ChannelServer(self._me, listener, context, self)
        await self._server.start()

    async def stop(self) -> None:
        """Close all channels."""
        if self._server is not None:
            await self._server.stop()

    async def renewed(self, ca: bytes) -> None:
        """Certificate or CAs changed. When a CA is not believed any more, everybody shows a certificate anew."""
        if self._server is None:
            return
        self._server.use(server_context(*self._files, ca))
        before, self._ca = self._ca, ca
        if not set(_certificates(before)) <= set(_certificates(ca)):
            await self._server.renew()

    def colony_changed(self) -> None:
        """Tell workers what is new, and close the channels of nodes that are not in the colony any more."""
        if self._server is None:
            return
        records = self._records()
        for node in self._server.sessions.keys() - records.keys():
            self._server.dismiss(node, *self._missing(node))
        self._left = {node: report for node, report in self._left.items() if node in records}
        announcement: Announcement | None = None
        for session in list(self._server.sessions.values()):
            if self._is_worker(session.node):
                announcement = announcement or self._reporter().announcement()
                for frame in self._pending(session.node, announcement):
                    session.send(frame)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` whenever :meth:`present` may have changed; returns how to end that."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def present(self) -> dict[str, Report]:
        """What workers report that are here, and the last words of those that left."""
        here = {s.node: s.report for s in self.sessions() if not s.silent and self._is_worker(s.node)}
        return {**self._left, **here}

    async def command(self, node: str, order: NodeOrder, term: int, timeout_s: float) -> dict[str, Any]:
        """Have ``node`` do ``order`` and return its own answer. Raises NoChannel, NoAnswer, NodeRefused."""
        if node == self._me:
            return self._orders.perform(order, term)
        assert self._server is not None
        with tracing.span("channel", SpanKind.CLIENT, {"aware.node": node, "aware.order": type(order).__name__}):
            return await self._server.command(node, order, term, timeout_s)

    def take_twins(self) -> dict[str, str]:
        """Workers that exist twice, and where the second one called from, once each."""
        twins, self._unsaid = self._unsaid, {}
        return twins

    def take_absurd(self) -> dict[str, str]:
        """Nodes that told a load which cannot be, and what is wrong with it, once in a while each."""
        absurd, self._unsaid_absurd = self._unsaid_absurd, {}
        return absurd

    def sessions(self) -> Collection[Session]:
        """The channels that end here."""
        return self._server.sessions.values() if self._server else ()

    def members(self) -> list[Session]:
        """Those of them that are of nodes which may reign, and have a gateway."""
        return [session for session in self.sessions() if not self._is_worker(session.node)]

    def nodes(self) -> Collection[str]:
        """Ids of all nodes of the colony."""
        return self._records().keys()

    def reaches(self, node: str) -> bool:
        """Whether an order would arrive."""
        return node == self._me or (self._server is not None and node in self._server.sessions)

    def state(self, node: str) -> ChannelState:
        """The channel of ``node`` to this member."""
        session = self._server.sessions.get(node) if self._server else None
        if node == self._me:
            return ChannelState(state="self", member=self._me)
        if session is None:
            return ChannelState(state="closed", member=self._me)
        return ChannelState(
            state="silent" if session.silent else "open",
            member=self._me,
            since=self._wall + session.opened_at,
            heard_s=round(time.monotonic() - session.heard_at, 3),
            beat_s=session.beat_s,
            throttled=session.throttled,
            refused_loads=session.refused_loads,
        )

    def states(self) -> Mapping[str, int]:
        """How many channels of others are in which state."""
        return self._server.states() if self._server else {}

    def families(self) -> Sequence[Family]:
        """Metrics of the listener."""
        if self._server is None:
            return []
        samples = [({"outcome": name}, float(count)) for name, count in sorted(self._server.counts.items())]
        throttled = sum(session.throttled for session in self._server.sessions.values())
        return [
            Family("aware_channel_attempts_total", "counter", "Who came for a channel, by what became of it.", samples),
            counter("aware_channel_throttled_total", "Frames that had to wait, of channels that are open.", throttled),
            counter("aware_loads_refused_total", "Reports of load that cannot be, of all nodes.", self._refused_loads),
        ]

    # What the listener asks and tells ---------------------------------------------------------------------------------

    def refusal(self, node: str, certificate: bytes) -> tuple[Why, str] | None:
        """A node has a channel as long as it has a record, and with the key it joined with."""
        record = self._record(node)
        if record is None:
            return self._missing(node)
        if record.key_pin and not hmac.compare_digest(record.key_pin, key_pin(certificate)):
            return Why.REMOVED, "this node joined again with another key"
        return None

    def _missing(self, node: str) -> tuple[Why, str]:
        """A record that cannot be read is no removal: nothing ends for good because of it."""
        reader = self._reader()
        if reader is not None and node in reader.unreadable_nodes():
            return Why.UNREADABLE, "what the colony keeps of this node cannot be read: an admin has to remove it"
        return Why.REMOVED, "this node is not in the colony"

    def beat_s(self, node: str) -> float:
        """The same for all: rarer in a large colony."""
        del node
        return beat_interval(len(self._records()))

    def opened(self, session: Session) -> Sequence[FromMember]:
        """Workers are told all that concerns them; a member reads etcd itself."""
        log.debug("%s has a channel", self._name(session.node))
        self._left.pop(session.node, None)
        if not self._is_worker(session.node):
            return ()
        self._told[session.node] = Told()
        self._changed()
        return self._pending(session.node, self._reporter().announcement())

    def reported(self, session: Session) -> None:
        """A worker's report is known only here; a member's is in etcd too."""
        if self._is_worker(session.node):
            self._changed()

    def noted(self, session: Session, frame: AuditNotes) -> None:
        """Members alone are listened to, and by who reigns."""
        if self.take_notes is not None and not self._is_worker(session.node):
            self.take_notes(session.node, frame.notes, lambda: session.send(AuditTaken(number=frame.number)))

    def loaded(self, session: Session, raw: bytes) -> None:
        """What cannot be is refused and said, and the last load that could be stays until it is too old."""
        try:
            session.load = read_load(raw)
            session.told_at = time.monotonic()
        except InvalidInput as error:
            session.refused_loads += 1
            self._refused_loads += 1
            self._complain(session.node, error.message)

    def _complain(self, node: str, what: str) -> None:
        """Rarely: whoever lies may do so twenty times in a second."""
        now = time.monotonic()
        if now - self._absurd.get(node, -ABSURD_EVERY_S) >= ABSURD_EVERY_S and (
            node in self._absurd or len(self._absurd) < MAX_TWINS
        ):
            self._absurd[node] = now
            self._unsaid_absurd[node] = what
            log.warning("%s tells a load that cannot be: %s", self._name(node), what)
            self._changed()

    def judged(self, session: Session) -> None:
        """Say it."""
        log.info("channel of %s: %s", self._name(session.node), "silent" if session.silent else "answers again")
        self._changed()

    def closed(self, session: Session) -> None:
        """Say it."""
        why, text = session.why or (Why.LOST, "")
        self.gone(session)
        self._told.pop(session.node, None)
        if self._is_worker(session.node):
            if why is Why.LEAVING:
                self._left[session.node] = msgspec.structs.replace(session.report, leaving=True)
            self._changed()
        log.info("channel of %s closed: %s", self._name(session.node), text or why)

    def twin(self, node: str, source: str) -> None:
        """Complain, but not with every attempt."""
        now = time.monotonic()
        if now - self._twins.get(node, -TWIN_EVERY_S) >= TWIN_EVERY_S and len(self._twins) < MAX_TWINS:
            self._twins[node] = now
            log.warning("another process with the identity of %s asks for a channel from %s", self._name(node), source)
            if self._is_worker(node):  # a member finds it out in etcd, and writes it there
                self._unsaid[node] = source
                self._changed()

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _records(self) -> Mapping[str, Record]:
        reader = self._reader()
        return reader.records() if reader else {}

    def _record(self, node: str) -> Record | None:
        """Asked for each channel, so that it must not cost more the more there are."""
        reader = self._reader()
        return reader.record(node) if reader else None

    def _is_worker(self, node: str) -> bool:
        record = self._record(node)
        return record is not None and not record.eligible

    def _reporter(self) -> News:
        if self._news is None:
            reader = self._reader()
            assert reader is not None  # whoever has a channel has a record, which was read
            self._news = News(reader)
        return self._news

    def _pending(self, node: str, announcement: Announcement) -> list[FromMember]:
        return self._reporter().pending(node, self._told.setdefault(node, Told()), announcement)

    def _name(self, node: str) -> str:
        record = self._record(node)
        return record.name if record else node


def _certificates(bundle: bytes) -> list[bytes]:
    """The certificates of a PEM bundle, as text."""
    end = b"-----END CERTIFICATE-----"
    return [part.strip() for part in bundle.split(end) if part.strip()]
