"""Servers that the colony keeps by itself: which are made, made anew and removed, and when it stops and says so. Pure.

What is wanted is the spec's size. What is there are the nodes, and the servers as a provider listed them. At each look
:func:`decide` says what shall happen, as *intents*: they are put on record by a fenced transaction before anything
happens outside, and every server that is made carries its intent and the term. So whoever reigns next, and finds
whatever, knows of each server why it is there:

* it is the effect of an intent that is open: wait for its node;
* it is *known*: a node came with it;
* its intent is over (given up, or another server's node came): nobody wants it, it goes;
* nothing is known of it: an older backup was restored, say. It stays, and a person is told.

A list that lacks the server of a node that is ready is not whole: nothing at all is done by it (:func:`_doubt`).

:func:`calls` says which calls make the intents come true, given a list of servers; asked again with a newer list it
names what is left, so it does not matter at which call its process was killed. A server without a term was made by a
person: it counts, and otherwise it is left alone, but that its node is replaced when it dies if a person named that
node when he let it in. Whoever else takes the name of a server must not have it deleted by falling silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec

from aware_agent.colony.decoding import Count, Word
from aware_agent.colony.errors import InvalidInput, one_line
from aware_agent.colony.event import COLONY, EventDraft, Severity
from aware_agent.colony.node import Status

AT_ONCE = 3  # at most one node in so many is made anew at a time
PATIENT = 3  # calls to the cloud that failed one after the other: then it is the patient
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 1800.0
REMEMBERED = 200  # intents that are over
CLOSED_AT_ONCE = 16  # intents that end at a look; bounds one transaction
SHOWN = 5  # names in a sentence
MAX_FAULT, MAX_HELD = 200, 1000  # characters
MIN_S, MAX_S = 5.0, 30 * 86_400.0

Kind = Literal["make", "remake", "remove"]
_Known = Annotated[Word, msgspec.Meta(min_length=1)]


class ServerPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How nodes that died are replaced. Times in seconds."""

    provider: Literal["socket"]
    after_s: float = 300.0  # a node dead for so long is made anew; 0: never
    most: int = 3  # nodes made anew within ``within_s``
    within_s: float = 3600.0
    join_s: float = 900.0  # a new server's node is there after so long, or it is given up
    eligible: bool = False  # nodes that may sit in the council are replaced too, by others that may


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server of the colony as its provider shows it."""

    id: _Known
    name: _Known
    intent: Word = ""  # id of the intent that it was made for
    term: Count = 0  # of the queen who had it made; 0: a person made it
    fault: str = ""  # why it will never serve, in the provider's words; empty: it may


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """What counts here of a node."""

    name: str
    status: Status
    since: float  # Unix seconds: so long it has this status
    id: str = ""  # another one under the same name is another node
    joined_with: str = ""  # id of the join token it came with
    named: bool = False  # that token was for a node of this name and for no other, and is still on record
    queen: bool = False
    seat: bool = False  # in the council
    eligible: bool = False  # it may sit in the council


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that shall be done about the server of one name. ``replaces``: id of the server that goes first."""

    id: str  # also of the join token its node comes with: no clock says which node is whose
    kind: Kind
    name: str
    at: float  # Unix seconds
    term: int
    replaces: str = ""


class Healing(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record. ``known``: by name of the node, the id of its server."""

    intents: dict[str, Intent] = {}  # by name of the node; of removals by id of the server
    known: dict[str, str] = {}
    nodes: dict[str, str] = {}  # of those, the id of the node
    over: tuple[str, ...] = ()  # ids of intents that made a server and are over, the last ones
    replaced: tuple[float, ...] = ()  # when nodes were made anew lately
    failures: int = 0  # calls and joins that failed one after the other
    failed_at: float = 0.0
    held: str = ""  # why something is not done now


class Picture(NamedTuple):
    """What is there. ``servers`` None: no list that is newer than the last change, so nothing can be said of them."""

    colony: str
    size: int
    nodes: Sequence[NodeState]
    servers: Sequence[Server] | None
    seatless: int = 0  # living nodes that could take a seat


class Issuer(NamedTuple):
    """Whose intents these are. ``ids`` are unused ids for new ones; no more is begun at a look than there are."""

    term: int
    ids: Sequence[str]


class Decision(NamedTuple):
    """What is on record from now, what is told of it, and when to look again though nothing happened (None: never)."""

    state: Healing
    lines: tuple[EventDraft, ...]
    again_at: float | None
    doubted: bool = False  # the list is not to be acted on: no call is made by it
    more: bool = False  # that ends by this list is left: decide by it once more before any call


class Create(NamedTuple):
    """Make a server of that name for that intent."""

    name: str
    intent: str


class Delete(NamedTuple):
    """Delete the server of that id."""

    server: str


Call = Create | Delete


def check_servers(policy: ServerPolicy, where: str) -> None:
    """Raise :class:`InvalidInput` that names the field."""
    bounds = (
        ("after_s", policy.after_s or MIN_S, (MIN_S, MAX_S)),
        ("most", policy.most, (1, 1000)),
        ("within_s", policy.within_s, (60.0, MAX_S)),
        ("join_s", policy.join_s, (30.0, 86_400.0)),
    )
    for name, value, (least, most) in bounds:
        if not least <= value <= most:
            raise InvalidInput(
                f"spec: {where}.{name} {value:g} is out of range",
                field=f"{where}.{name}",
                hint=f"{least:g} to {most:g}{', or 0: never' if name == 'after_s' else ''}",
            )


def decide(state: Healing, picture: Picture, policy: ServerPolicy, now: float, issuer: Issuer) -> Decision:
    """What shall be done from now on, as the queen of ``issuer.term`` wants it."""
    if picture.servers is None:
        return Decision(state, (), None)
    if (why := _doubt(state, picture)) != "":
        return doubted(state, why)
    return _Look(state, picture, policy, now, issuer).decision()


def _doubt(state: Healing, picture: Picture) -> str:
    """Why this list is not whole: whoever is ready runs on something. Empty: it may be."""
    there = {part for server in picture.servers or () for part in (server.id, server.name)}
    ready = sorted(node.name for node in picture.nodes if node.status is Status.READY)
    lost = [name for name in ready if name in state.known and there.isdisjoint((name, state.known[name]))]
    return f"the list lacks the servers of nodes that are ready: {_some(lost)}" if lost else ""


def doubted(state: Healing, why: str) -> Decision:
    """A list that nothing is concluded from; a person is told once."""
    held = f"nothing is made, replaced or removed: {why}"[:MAX_HELD]
    line = EventDraft("server.held", COLONY, held, Severity.WARNING)
    after = msgspec.structs.replace(state, held=held)
    return Decision(after, (line,) if held != state.held else (), None, doubted=True)


def failed(state: Healing, now: float) -> Healing:
    """A call to the cloud failed, or its list."""
    return msgspec.structs.replace(state, failures=state.failures + 1, failed_at=now)


def answered(state: Healing) -> Healing:
    """All calls of a round were answered."""
    return msgspec.structs.replace(state, failures=0) if state.failures else state


def resumes_at(state: Healing) -> float:
    """Until then (Unix seconds) the cloud is left alone; 0: it is not the patient."""
    if state.failures < PATIENT:
        return 0.0
    return state.failed_at + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(10, state.failures - PATIENT))


def calls(state: Healing, servers: Sequence[Server]) -> tuple[Call, ...]:
    """What is left to be done for the intents, given what is there. Deletions come first: they free names and quota."""
    deletes: dict[str, None] = {}
    creates: list[Call] = []
    for intent in state.intents.values():
        if intent.kind == "remove":
            deletes.update({server.id: None for server in servers if server.id == intent.replaces})
            continue
        deletes.update({server.id: None for server in servers if server.id == intent.replaces})
        own = sorted((server for server in servers if server.intent == intent.id), key=lambda server: server.id)
        deletes.update({server.id: None for server in own[1:]})  # its answer was lost, and it was asked for again
        if not own:
            creates.append(Create(intent.name, intent.id))
    return (*(Delete(server) for server in deletes), *creates)


class _Look:
    """One look; what it changes is in ``intents``, ``known`` and ``lines``."""

    def __init__(self, state: Healing, picture: Picture, policy: ServerPolicy, now: float, issuer: Issuer) -> None:
        assert picture.servers is not None
        self.state, self.picture, self.policy, self.now, self.term = state, picture, policy, now, issuer.term
        self.ids = list(reversed(issuer.ids))
        self.servers = {server.id: server for server in picture.servers}
        self.nodes = {node.name: node for node in picture.nodes}
        self.intents, self.known, self.hosts = dict(state.intents), dict(state.known), dict(state.nodes)
        self.over = state.over
        self.replaced = tuple(at for at in state.replaced if at > now - policy.within_s)
        self.failures, self.failed_at = state.failures, state.failed_at
        self.lines: list[EventDraft] = []
        self.more = False
        self.held: dict[str, list[str]] = {}  # by reason, the names in its place of them
        self.waits: list[float] = []

    def decision(self) -> Decision:
        self._close()
        self._forget()
        self._learn()
        self._remove_unwanted()
        self._heal()
        self._grow()
        held = "; ".join(why.format(_some(sorted(names))) for why, names in self.held.items())[:MAX_HELD]
        if held and held != self.state.held:
            self._tell("server.held", COLONY, held, Severity.WARNING)
        after = Healing(
            intents=self.intents,
            known=self.known,
            nodes={name: node for name, node in self.hosts.items() if name in self.known},
            over=self.over[-REMEMBERED:],
            replaced=self.replaced,
            failures=self.failures,
            failed_at=self.failed_at,
            held=held,
        )
        return Decision(after, tuple(self.lines), min(self.waits, default=None), more=self.more)

    # -- what has come true

    def _close(self) -> None:
        for key, intent in list(self.intents.items()):
            if len(self.over) - len(self.state.over) >= CLOSED_AT_ONCE:
                self.more = True
                return
            if intent.kind == "remove":
                if intent.replaces not in self.servers:
                    del self.intents[key]
                continue
            made = self._effect(intent)
            node = self.nodes.get(intent.name)
            if made and node and node.joined_with == intent.id and node.status is not Status.SUSPECT:
                del self.intents[key]
                self.over = (*self.over, intent.id)
                self._know(node, made)
                self.failures = 0
                waited = f"{max(0.0, self.now - intent.at):.0f} s"
                self._tell("server.joined", intent.name, f"{intent.name} is there, {waited} after it was wanted")
            elif made and made.fault:
                self._give_up(key, intent, f"its server failed: {one_line(made.fault, MAX_FAULT)}")
            elif self.now >= intent.at + self.policy.join_s:
                self._give_up(key, intent, f"it did not join within {self.policy.join_s:g} s")
            else:
                self.waits.append(intent.at + self.policy.join_s)

    def _give_up(self, key: str, intent: Intent, why: str) -> None:
        """Whatever was made for it belongs to nobody from now on, and goes."""
        del self.intents[key]
        self.over = (*self.over, intent.id)
        self.failures, self.failed_at = self.failures + 1, self.now
        self._tell("server.given-up", intent.name, f"{intent.name} is given up: {why}", Severity.ERROR)

    def _effect(self, intent: Intent) -> Server | None:
        own = [server for server in self.servers.values() if server.intent == intent.id]
        return min(own, key=lambda server: server.id, default=None)

    def _learn(self) -> None:
        """A server is known once its node is there; what is of no node any more is forgotten.

        A name alone proves nothing, for any join token that names nobody lets in a node of any name. One that a queen
        made is known by its intent, which is the token of its node: so only where the record of it was lost.
        """
        for server in sorted(self.servers.values(), key=lambda server: server.id):
            node = self.nodes.get(server.name)
            mine = server.intent in self.over
            if node is None or mine or server.name in self.known or server.name in self.intents:
                continue
            if node.named if not server.term else node.joined_with == server.intent != "":
                self._know(node, server)

    def _forget(self) -> None:
        for name, server_id in list(self.known.items()):
            node = self.nodes.get(name)
            if (node is None or node.id != self.hosts.get(name, node.id)) and name not in self.intents:
                self._part(name, server_id)

    def _know(self, node: NodeState, server: Server) -> None:
        self.known[node.name], self.hosts[node.name] = server.id, node.id

    def _part(self, name: str, server_id: str) -> None:
        """An admin removed the node."""
        server = self.servers.get(server_id)
        if server is not None and server.term:
            if (intent := self._intent("remove", name, server_id)) is None:
                return
            self.intents[server_id] = intent
            self._tell("server.unwanted", name, f"the node of server {name} was removed, so it goes", Severity.NOTICE)
        elif server is not None:
            self._hold("of no node is server {}; a person made it, so a person removes it", name)
        del self.known[name]

    # -- what nobody wants

    def _remove_unwanted(self) -> None:
        wanted = {*self.known.values(), *(intent.replaces for intent in self.intents.values())}
        open_ids = {intent.id for intent in self.intents.values()}
        for server in self.servers.values():
            if not server.term or server.id in wanted or server.intent in open_ids:
                continue
            if server.intent not in self.over:
                self._hold("nothing is known of server {}, which a queen made; it stays", server.name)
                continue
            if (intent := self._intent("remove", server.name, server.id)) is None:
                return
            self.intents[server.id] = intent
            said = f"server {server.name} ({server.id}) of term {server.term} is nobody's and is removed"
            self._tell("server.unwanted", server.name, said, Severity.NOTICE)

    # -- the dead

    def _heal(self) -> None:
        dead = [node for node in self.nodes.values() if self._is_dead(node)]
        if not dead or not self.policy.after_s:
            return
        bound = max(1, self.picture.size // AT_ONCE)
        doubtful = [node for node in dead if self._seems_to_run(node)]
        if 2 * len(doubtful) > self.picture.size:
            of = f"{len(doubtful)} of {self.picture.size} nodes are dead although their servers run"
            why = of + " ({}): that is rather the network than they, so they are not replaced"
            self._hold(why, *(node.name for node in doubtful))
            dead = [node for node in dead if node not in doubtful]
        for node in sorted(dead, key=lambda node: (node.since, node.name)):
            due = node.since + self.policy.after_s
            if self.now < due:
                self.waits.append(due)
            elif (why := self._obstacle(node, bound)) != "":
                self._hold(f"not replaced though dead ({why}): {{}}", node.name)
            else:
                self._remake(node)

    def _is_dead(self, node: NodeState) -> bool:
        """Dead, of a server that was the colony's, and nobody said that this is meant to be.

        Who said good-bye is meant to come back, unless there is nothing left to come back on.
        """
        if node.name not in self.known or node.name in self.intents or node.queen:
            return False
        gone = self.known[node.name] not in self.servers
        return node.status is Status.DEAD or (node.status is Status.LEFT and gone)

    def _seems_to_run(self, node: NodeState) -> bool:
        server = self.servers.get(self.known[node.name])
        return server is not None and not server.fault

    def _obstacle(self, node: NodeState, bound: int) -> str:
        if node.eligible and not self.policy.eligible:
            return "it may sit in the council, and such nodes are not replaced without policies.servers.eligible"
        if node.seat and self.picture.seatless:
            return "first its seat in the council goes to another node"
        if (pause := self._pause()) != "":
            return pause
        if sum(intent.kind == "remake" for intent in self.intents.values()) >= bound:
            return f"{bound} at a time"
        if len(self.replaced) >= self.policy.most:
            again = min(self.replaced) + self.policy.within_s
            self.waits.append(again)
            return f"{len(self.replaced)} were within {self.policy.within_s:g} s, which is the most"
        return ""

    def _remake(self, node: NodeState) -> None:
        intent = self._intent("remake", node.name, self.known[node.name])
        if intent is None:
            return
        self.intents[node.name] = intent
        del self.known[node.name]
        self.replaced = (*self.replaced, self.now)
        gone = "its server is gone" if intent.replaces not in self.servers else "its server is removed first"
        said = f"{node.name} is dead for {self.now - node.since:.0f} s and made anew; {gone}"
        self._tell("server.replaced", node.name, said, Severity.WARNING)

    # -- what is missing

    def _grow(self) -> None:
        servers = {server.name for server in self.servers.values() if not self._is_leaving(server)}
        making = {intent.name for intent in self.intents.values() if intent.kind != "remove"}
        there = {*self.nodes, *making, *servers}
        missing = self.picture.size - len(there)
        if missing < 0:
            self._hold(f"{-missing} more than size {self.picture.size} are there: playbook scale.yml removes some")
        if missing <= 0:
            return
        if (pause := self._pause()) != "":
            self._hold(f"{missing} nodes are missing and not made: {pause}")
            return
        taken = {*self.nodes, *making, *servers}
        names = (f"{self.picture.colony}-{number}" for number in range(1, self.picture.size + len(taken) + 1))
        free = [name for name in names if name not in taken][:missing]
        for name in free:
            if (intent := self._intent("make", name)) is None:
                return
            self.intents[name] = intent
            self._tell("server.wanted", name, f"{name} is missing and made: size is {self.picture.size}")

    def _is_leaving(self, server: Server) -> bool:
        return any(intent.replaces == server.id for intent in self.intents.values())

    # -- small things

    def _pause(self) -> str:
        """Why nothing new is asked of the cloud."""
        state = Healing(failures=self.failures, failed_at=self.failed_at)
        if self.now >= (until := resumes_at(state)):
            return ""
        self.waits.append(until)
        return f"{self.failures} attempts failed one after the other, so the cloud is left alone for a while"

    def _intent(self, kind: Kind, name: str, replaces: str = "") -> Intent | None:
        if not self.ids:
            self.waits.append(self.now)
            return None
        return Intent(id=self.ids.pop(), kind=kind, name=name, at=self.now, term=self.term, replaces=replaces)

    def _hold(self, why: str, *names: str) -> None:
        """``why`` is of our own words, with {} where the names go."""
        self.held.setdefault(why, []).extend(names)

    def _tell(self, kind: str, subject: str, said: str, severity: Severity = Severity.INFO) -> None:
        self.lines.append(EventDraft(kind, subject, said, severity))


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def open_intents(state: Healing) -> Mapping[str, Intent]:
    """Intents that make a server, by their ids."""
    return {intent.id: intent for intent in state.intents.values() if intent.kind != "remove"}
