"""Pre-serialised answers: each hot resource is encoded once per picture of the colony and then served as bytes."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from aware_agent import __version__
from aware_agent.colony.capacity import metrics
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.inventory import build_inventory
from aware_agent.colony.load import Loads
from aware_agent.colony.node import Config, Status
from aware_agent.colony.view import ColonyView, NodeView, with_loads, without_queen
from aware_agent.gateway import preconditions, standing
from aware_agent.gateway.asgi import Headers, Message, Send
from aware_agent.gateway.believed import Believed
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.documents import (
    CasteDocument,
    ClusterDocument,
    ConfigDocument,
    NodeName,
    NodesDocument,
    QueenDocument,
    Size,
    SpecDocument,
)
from aware_agent.gateway.errors import NoQueen
from aware_agent.gateway.uvicorn_parts import STATUS_LINE
from aware_agent.store.health import StoreState
from aware_agent.store.keys import Keys

NODES = "/v1/nodes/"
MAX_PREPARED = 2048
_INLINE = 128 * 1024  # bytes; longer bodies are compressed in a thread
_LEVEL = 4  # a third of the time of gzip's default level for 3 % more bytes


class _Answer(NamedTuple):
    """One answer in both forms."""

    start: Message
    end: Message
    ready: Ready


class Ready(NamedTuple):
    """A whole answer as bytes. ``head`` begins with the status line and lacks date and empty line."""

    status: int
    head: bytes
    body: bytes


class Prepared:
    """One answer, ready to send any number of times."""

    def __init__(
        self, body: bytes, *, tag: bytes, revision: int, term: int, node: str, role: str, more: Headers
    ) -> None:
        self.body = body
        self.tag = tag
        self._common: Headers = [
            (b"x-aware-revision", b"%d" % revision),
            (b"x-aware-term", b"%d" % term),
            (b"x-aware-node", node.encode()),
            (b"x-aware-role", role.encode()),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"accept-encoding, authorization"),
            *more,
        ]
        self._plain = self._made(200, body, [(b"etag", tag), (b"content-type", b"application/json")])
        self._same = self._made(304, None, [(b"etag", tag)])
        self._zipped: _Answer | None = None
        self._zipping: asyncio.Task[bytes] | None = None

    async def send(self, send: Send, *, if_none_match: bytes | None, gzipped: bool, request: bytes = b"") -> int:
        """Answer 200 or 304; returns which. ``request``: its id, where nobody else puts it into the answer."""
        answer = self._choose(if_none_match, gzipped) or await self._zip()
        start = answer.start
        if request:
            start = {**start, "headers": [*start["headers"], (b"x-request-id", request)]}
        await send(start)
        await send(answer.end)
        return answer.ready.status

    def ready(self, *, if_none_match: bytes | None, gzipped: bool) -> Ready | None:
        """What :meth:`send` would send; None while that is not compressed yet."""
        answer = self._choose(if_none_match, gzipped)
        return None if answer is None else answer.ready

    def _choose(self, if_none_match: bytes | None, gzipped: bool) -> _Answer | None:
        if if_none_match is not None and self._fresh(if_none_match):
            return self._same
        return self._zipped if gzipped else self._plain

    def _fresh(self, header: bytes) -> bool:
        return preconditions.none_match(header, self.tag) or preconditions.none_match(header, self._zipped_tag)

    @property
    def _zipped_tag(self) -> bytes:
        """Other bytes, other strong tag."""
        return self.tag[:-1] + b'-gz"'

    async def _zip(self) -> _Answer:
        """Compress once, whoever asks first; in a thread when it takes long."""
        if len(self.body) <= _INLINE:
            data = _compress(self.body)
        else:
            self._zipping = self._zipping or asyncio.create_task(asyncio.to_thread(_compress, self.body))
            data = await asyncio.shield(self._zipping)
        headers: Headers = [
            (b"etag", self._zipped_tag),
            (b"content-type", b"application/json"),
            (b"content-encoding", b"gzip"),
        ]
        self._zipped = self._made(200, data, headers)
        return self._zipped

    def _made(self, status: int, body: bytes | None, headers: Headers) -> _Answer:
        headers = [*headers, *self._common]
        if body is not None:
            headers.append((b"content-length", b"%d" % len(body)))
        head = STATUS_LINE[status] + b"".join(b"%s: %s\r\n" % pair for pair in headers)
        start = {"type": "http.response.start", "status": status, "headers": headers}
        end = {"type": "http.response.body", "body": body or b""}
        return _Answer(start, end, Ready(status, head, body or b""))


class Reads:
    """The hot resources. Holds the answers of one picture only, and not more than ``MAX_PREPARED``."""

    def __init__(self, context: GatewayContext, believed: Believed) -> None:
        self._context = context
        self._believed = believed
        self._trust: Headers = []
        self._keys = Keys(context.colony)
        self._view: ColonyView | None = None
        self._loads: Loads = context.loads
        self._shown: tuple[ColonyView, Loads, ColonyView] | None = None  # a picture, loads, and both in one
        self._store = StoreState()
        self._queen: QueenRecord | None = None
        self._role: standing.Role = "member"
        self._prepared: dict[str, Prepared] = {}
        self._index: dict[str, NodeView] | None = None

    def get(self, path: str) -> Prepared | None:
        """The answer of the hot resource at ``path`` now: one of :data:`HOT`, a node or its config; else None.

        None also for a node that is not there or a name that several have: the routes know what to say then.
        """
        view, store, queen = self._context.view(), self._context.store(), self._context.queen()
        trust = self._believed.headers()
        same = view is self._view and queen is self._queen and trust == self._trust
        if not same or store.detail != self._store.detail:
            self._view, self._store, self._queen, self._prepared, self._index = view, store, queen, {}, None
            self._trust = trust
            self._role = standing.role(self._context)
        if (loads := self._context.loads) is not self._loads:
            self._loads, self._index = loads, None
            self._prepared = {path: made for path, made in self._prepared.items() if path in WITHOUT_LOADS}
        return self._prepared.get(path) or self._prepare(path, self.view())

    def view(self) -> ColonyView:
        """The picture that answers are made of now."""
        view, loads = self._context.view(), self._context.loads
        if self._shown is None or self._shown[0] is not view or self._shown[1] is not loads:
            self._shown = view, loads, with_loads(view, loads)
        # A copy that hears nothing of etcd for long does not know who reigns, whatever it read last.
        return self._shown[2] if self._context.queen() else without_queen(self._shown[2])

    def _prepare(self, path: str, view: ColonyView) -> Prepared | None:
        made = self._document(path, view)
        if made is None:
            return None
        document, revision = made
        body = msgspec.json.encode(document)
        tag = preconditions.etag(revision, body)
        if len(self._prepared) >= MAX_PREPARED:
            self._prepared.clear()
        more = self._trust if self._role == "queen" else []
        node, role = self._context.me, self._role
        prepared = Prepared(body, tag=tag, revision=view.revision, term=view.term, node=node, role=role, more=more)
        self._prepared[path] = prepared
        return prepared

    def _document(self, path: str, view: ColonyView) -> tuple[Any, int] | None:
        """The document at ``path`` and the revision its tag is of."""
        if path in HOT:
            document = HOT[path](view, self._store)
            return document, (view.spec_revision if path == "/v1/spec" else view.revision)
        name, _, part = path.removeprefix(NODES).partition("/")
        node = self._find(name, view)
        if node is None or part not in ("", "config") or path.endswith("/"):
            return None
        return self._config(node) if part else (node, node.revision)

    def _find(self, name: str, view: ColonyView) -> NodeView | None:
        if self._index is None:
            names = Counter(node.name for node in view.nodes)
            self._index = {node.name: node for node in view.nodes if names[node.name] == 1}
            self._index.update((node.id, node) for node in view.nodes)
        return self._index.get(name)

    def _config(self, node: NodeView) -> tuple[ConfigDocument, int]:
        stored = self._context.projection.get(self._keys.key("config", node.id))
        revision = stored.mod_revision if stored else 0
        config = self._context.reader.one(f"config/{node.id}", Config) or Config()
        document = ConfigDocument(
            revision=revision, version=node.config_version, applied=node.config_applied, config=config
        )
        return document, revision


def cluster(view: ColonyView, store: StoreState) -> ClusterDocument:
    """The colony at a glance. One whose etcd takes no writes is not healthy, whoever is there."""
    names = {node.id: node.name for node in view.nodes}
    return ClusterDocument(
        colony=view.colony,
        revision=view.revision,
        term=view.term,
        status="degraded" if store.trouble else view.status,
        reason=store.message or view.reason,
        queen=reigning(view) if view.queen else None,
        heir=heir(view),
        size=_size(view),
        castes=[
            CasteDocument(
                name=caste.name,
                wanted=caste.wanted,
                assigned=[names.get(i, i) for i in caste.assigned],
                missing=caste.missing,
            )
            for caste in view.castes
        ],
        metrics=metrics(view),
        breakers=view.breakers,
        version=__version__,
    )


def reigning(view: ColonyView, store: StoreState | None = None) -> QueenDocument:
    """Who reigns, and who would follow. Raises :class:`NoQueen`."""
    if view.queen is None:
        raise NoQueen(store)
    return QueenDocument(**msgspec.structs.asdict(view.queen), heir=heir(view))


def heir(view: ColonyView) -> NodeName | None:
    """Who would win if the queen vanished now."""
    node = view.find(view.heir) if view.heir else None
    return NodeName(id=node.id, name=node.name) if node else None


def nodes(view: ColonyView) -> NodesDocument:
    """All nodes."""
    return NodesDocument(revision=view.revision, term=view.term, nodes=view.nodes)


def spec(view: ColonyView) -> SpecDocument:
    """The spec in force."""
    return SpecDocument(revision=view.spec_revision, spec=view.spec)


def _size(view: ColonyView) -> Size:
    count = {status: sum(node.status is status for node in view.nodes) for status in Status}
    return Size(
        wanted=view.spec.size if view.spec else 0,
        servers=view.wanted_size,
        missing=view.missing_servers,
        ready=count[Status.READY],
        suspect=count[Status.SUSPECT],
        dead=count[Status.DEAD],
        left=count[Status.LEFT],
        away=count[Status.AWAY],
        cordoned=sum(node.cordoned for node in view.nodes),
        total=len(view.nodes),
    )


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


HOT: dict[str, Callable[[ColonyView, StoreState], Any]] = {
    "/v1/cluster": cluster,
    "/v1/inventory": lambda view, _: build_inventory(view),
    "/v1/nodes": lambda view, _: nodes(view),
    "/v1/queen": reigning,
    "/v1/spec": lambda view, _: spec(view),
}
"""Hot resources: path and what makes its document of the colony and of how etcd is."""

WITHOUT_LOADS = frozenset({"/v1/inventory", "/v1/queen", "/v1/spec"})
"""Those that say nothing of loads, which are news every few seconds: their answers stay, and so do their tags."""


def accepts_gzip(header: bytes) -> bool:
    """Whether Accept-Encoding asks for gzip (and does not forbid it with q=0)."""
    for part in header.lower().split(b","):
        coding, _, weight = part.strip().partition(b";")
        if coding.strip() in (b"gzip", b"x-gzip"):
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False
