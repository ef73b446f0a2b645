"""What a gateway serves to everybody, without a token: cheap for us however many ask.

Each page is made at most once in ``PAGE_AGE_S``, whoever asks, and handed out as bytes past the web framework.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from aware_agent import telemetry
from aware_agent.colony.backup import parse_every
from aware_agent.colony.capacity import CasteCapacity, metrics
from aware_agent.colony.council_document import COUNCIL_PATH, CouncilDocument
from aware_agent.colony.errors import AwareError
from aware_agent.colony.jobs import JobState
from aware_agent.colony.limits import LIMITS
from aware_agent.colony.node import Status
from aware_agent.colony.syslog import SENT, SYSLOG, Sent
from aware_agent.colony.view import excused
from aware_agent.colony.webhook import WebhookRecord, WebhookState
from aware_agent.gateway.asgi import Headers, Scope, Send, answer
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.scrapers import METRICS
from aware_agent.gateway.worker import JSON, Whole
from aware_agent.queen import overview
from aware_agent.queen.webhooks import records
from aware_agent.telemetry import Family, Kind, counter, gauge

if TYPE_CHECKING:
    from aware_agent.colony.view import ColonyView
    from aware_agent.gateway.state import Gateway

log = logging.getLogger(__name__)

PAGE_AGE_S = 1.0
MAX_ABSENT = 100  # names in the metrics; how many there are is told in any case
_ABSENT = (Status.SUSPECT, Status.DEAD)
SILENT = "this node's agent does not answer"


class _Page:
    """One page, made again when it is too old; whoever asks meanwhile waits for the same one."""

    def __init__(self, make: Callable[[], Awaitable[Whole]], age_s: float) -> None:
        self._make, self._age_s = make, age_s
        self._made: tuple[float, Whole] | None = None
        self._making: asyncio.Task[Whole] | None = None

    async def get(self) -> Whole:
        now = asyncio.get_running_loop().time()
        if self._made is not None and now - self._made[0] < self._age_s:
            return self._made[1]
        if self._making is None:
            self._making = asyncio.create_task(self._again(), name="page")
        return await asyncio.shield(self._making)

    async def _again(self) -> Whole:
        try:
            whole = await self._make()
            self._made = asyncio.get_running_loop().time(), whole
            return whole
        finally:
            self._making = None


class PublicPages:
    """Health, readiness, metrics and the CA of a council member."""

    def __init__(self, gateway: Gateway, more: Callable[[], Iterable[Family]]) -> None:
        self._gateway = gateway
        self._more = more
        self.requests = telemetry.RequestCounter()
        self.durations = telemetry.Histogram(
            "aware_gateway_request_duration_seconds",
            "How long answers took, by route; streams are not among them.",
            "route",
        )
        self._metrics = _Page(self._make_metrics, PAGE_AGE_S)
        self.pages: dict[str, Callable[[], Awaitable[Whole]]] = {
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/readyz/queen": self.queen_readyz,
            "/metrics": self._metrics.get,
            "/v1/ca": self.ca,
            COUNCIL_PATH: self.council,
        }

    def describe(self, make: Callable[[], bytes]) -> None:
        """Serve what ``make`` returns as the API's description."""

        async def page() -> Whole:
            return 200, JSON, make()

        self.pages["/openapi.json"] = page

    async def healthz(self) -> Whole:
        """This process answers; nobody else is asked."""
        return 200, JSON, b'{"status":"ok","store":%s}' % self._store()

    async def readyz(self) -> Whole:
        """200 when the node does its work, else 503; the reason is one of our own sentences."""
        facts = await self._gateway.context.facts()
        if facts is None:
            return self._readiness(False, SILENT)
        return self._readiness(*self._both(facts.ready, facts.reason))

    async def queen_readyz(self) -> Whole:
        """For load balancers: 200 from the queen while she does her work, 503 from every other node."""
        facts = await self._gateway.context.facts()
        if facts is None:
            return self._readiness(False, SILENT)
        if not facts.term:
            return self._readiness(False, "not the queen")
        return self._readiness(*self._both(facts.ready, facts.reason))

    async def metrics(self) -> Whole:
        """Prometheus text format: the agent's families, the colony's and this gateway's own."""
        return await self._metrics.get()

    async def ca(self) -> Whole:
        """CA certificates, for newcomers that know their pin."""
        return 200, b"application/x-pem-file", self._gateway.believed.bundle()

    async def council(self) -> Whole:
        """Whom to ask, for clients that know only this node."""
        context = self._gateway.context
        try:
            document = context.reader.council()
        except AwareError:  # nothing was read yet
            document = CouncilDocument(colony=context.colony)
        return 200, JSON, msgspec.json.encode(document)

    async def serve(self, scope: Scope, send: Send) -> bool:
        """Answer if the path is one of these and it is read; say whether it was."""
        page = self.pages.get(scope["path"])
        if page is None or scope["method"] not in ("GET", "HEAD"):
            return False
        if scope["path"] == METRICS and not self._gateway.scrapers.allows(scope):
            self._check_viewer(scope)
        status, content_type, body = await page()
        headers: Headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *self._gateway.stamp(),
        ]
        await answer(send, status, headers, body)
        return True

    def _check_viewer(self, scope: Scope) -> None:
        """Raise Unauthenticated unless the request shows a user's token; every role may read metrics."""
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        self._gateway.authority.authenticate(shown)

    def _both(self, ready: bool, reason: str) -> tuple[bool, str]:
        """The agent's word, and ours: a gateway that has read nothing yet is of no use."""
        try:
            self._gateway.context.view()
        except AwareError as error:
            return False, (error.message if ready else reason)
        return ready, reason

    def _readiness(self, ready: bool, reason: str) -> Whole:
        words = b"true" if ready else b"false", msgspec.json.encode(reason), self._store()
        return (200 if ready else 503), JSON, b'{"ready":%s,"reason":%s,"store":%s}' % words

    def _store(self) -> bytes:
        return msgspec.json.encode(self._gateway.context.store())

    async def _make_metrics(self) -> Whole:
        facts = await self._gateway.context.facts()
        families = [
            gauge("aware_agent_answers", "1 while the agent answers its gateway.", facts is not None),
            *(facts.families if facts else ()),
            *self._more(),
            self.requests.family(),
        ]
        return 200, telemetry.CONTENT_TYPE, telemetry.render(families, [self.durations])


def colony_families(context: GatewayContext) -> list[Family]:
    """Metrics of the colony as this member sees it; nothing before it was read for the first time."""
    try:
        view = context.view()
    except AwareError:
        return []
    statuses: dict[str, int] = dict.fromkeys(map(str, Status), 0)
    for node in view.nodes:
        statuses[str(node.status)] += 1
    missing = [
        ({"caste": caste.name}, float(max(0, caste.missing - excused(caste, view.nodes)))) for caste in view.castes
    ]
    absent = [({"name": n.name, "status": str(n.status)}, 1.0) for n in view.nodes if n.status in _ABSENT]
    return [
        Family(
            "aware_nodes", "gauge", "Nodes of the colony by status.", [({"status": s}, n) for s, n in statuses.items()]
        ),
        Family("aware_caste_missing", "gauge", "Nodes a caste lacks, but for those that were sent away.", missing),
        Family("aware_node_absent", "gauge", "Nodes that are suspect or dead, by name.", absent[:MAX_ABSENT]),
        gauge("aware_nodes_wanted", "Nodes the spec asks for.", view.spec.size if view.spec else 0),
        gauge(
            "aware_nodes_missing",
            "Nodes there are too few, for the spec and for castes that scale.",
            view.missing_servers,
        ),
        gauge("aware_healthy", "1 when the colony is healthy.", view.status == "healthy"),
    ]


def load_families(view: ColonyView) -> Iterator[Family]:
    """What castes have and what of it is in use. By caste: a series for each node would be as many as there are nodes
    for each of these, of which an exporter on the node says more. What is not known has no sample; 0 would be a lie."""
    castes = metrics(view).castes
    over = [({"limit": limit}, float(sum(limit in node.over for node in view.nodes))) for limit in LIMITS]
    yield Family("aware_nodes_over_limit", "gauge", "Nodes over a limit of the spec, by limit.", over)

    def each(name: str, told: str, value: Callable[[CasteCapacity], float | None]) -> Family:
        samples = [({"caste": c.name}, float(n)) for c in castes if (n := value(c)) is not None]
        return Family(name, "gauge", told, samples)

    yield each("aware_caste_nodes_ready", "Nodes of a caste that are ready.", lambda c: c.ready)
    yield each("aware_caste_nodes_reporting", "Those of them whose load is known.", lambda c: c.reporting)
    yield each("aware_caste_vcpus", "Processors of the nodes that are ready.", lambda c: c.vcpus)
    yield each("aware_caste_vcpus_used", "Processors in use, of the nodes whose load is known.", lambda c: c.vcpus_used)
    yield each("aware_caste_memory_bytes", "Memory of the nodes that are ready.", lambda c: c.ram_mib * 2**20)
    yield each(
        "aware_caste_memory_used_bytes",
        "Memory in use, of the nodes whose load is known.",
        lambda c: None if c.ram_used_mib is None else c.ram_used_mib * 2**20,
    )
    yield each(
        "aware_caste_cpu_ratio", "Share of processors in use, of the nodes whose load is known.", lambda c: c.cpu
    )
    yield each(
        "aware_caste_memory_ratio", "Share of memory in use, of the nodes whose load is known.", lambda c: c.memory
    )
    yield each("aware_caste_load1", "Mean load average of a minute, of those nodes.", lambda c: c.load1)


def job_families(context: GatewayContext) -> Iterator[Family]:
    """Metrics of jobs, as far as they are remembered."""
    states = dict.fromkeys(JobState, 0)
    for job in overview.jobs(context.reader):
        states[job.state] += 1
    counted: list[tuple[dict[str, str], float]] = [({"state": str(state)}, n) for state, n in states.items()]
    yield Family("aware_jobs", "gauge", "Jobs that are remembered, by state.", counted)


def backup_families(context: GatewayContext) -> Iterator[Family]:
    """Metrics of backups, while the spec wants some."""
    view = context.view()
    policy = view.spec.policies.backup if view.spec else None
    if policy is None:
        return
    log = overview.backup_log(context.reader)
    last = log.last
    stamp, size = "aware_backup_last_success_timestamp_seconds", "aware_backup_last_size_bytes"
    yield gauge(stamp, "When the last backup began, 0: never.", last.created_at if last else 0)
    yield gauge(size, "Size of the last backup.", last.bytes if last else 0)
    yield gauge("aware_backup_interval_seconds", "How often the spec wants a backup.", parse_every(policy.every))
    yield counter("aware_backup_failures_total", "Attempts that failed, whoever reigned.", log.failed)


def webhook_families(context: GatewayContext) -> Iterator[Family]:
    """Metrics of webhooks, as their state was written last; labelled by id, for a URL may be a secret."""
    reader = context.reader
    found = [(record, records.state(reader, record)) for record in records.webhooks(reader)]
    if not found:
        return

    def each(name: str, kind: Kind, told: str, value: Callable[[WebhookRecord, WebhookState], float]) -> Family:
        return Family(name, kind, told, [({"webhook": r.id}, float(value(r, s))) for r, s in found])

    yield each("aware_webhook_delivered_total", "counter", "Events delivered.", lambda _, s: s.delivered)
    yield each("aware_webhook_failures_total", "counter", "Calls that failed.", lambda _, s: s.failed)
    yield each("aware_webhook_given_up_total", "counter", "Events that became dead letters.", lambda _, s: s.dead)
    waiting = "Dead letters that wait for somebody."
    yield each("aware_webhook_dead_letters", "gauge", waiting, lambda r, _: len(records.dead_letters(reader, r.id)))
    yield each("aware_webhook_paused", "gauge", "1 while it is paused.", lambda r, _: bool(r.paused))
    since = "Since when nothing is delivered, 0: it works."
    yield each("aware_webhook_failing_since_timestamp_seconds", "gauge", since, lambda _, s: s.failing_since)


def syslog_families(context: GatewayContext) -> Iterator[Family]:
    """How far the audit log is with the receiver of syslog; nothing where there is none."""
    sent = context.reader.one(SENT, Sent)
    if sent is not None:
        yield gauge("aware_audit_syslog_line", "Last line of the audit log the receiver of syslog has.", sent.seq)
        missed = "Lines that left etcd before they could be sent."
        yield counter("aware_audit_syslog_missed_total", missed, sent.missed)


def breaker_families(context: GatewayContext) -> Iterator[Family]:
    """The circuit breakers of a colony: of each webhook, of the target of backups, of the receiver of syslog."""
    view, reader = context.view(), context.reader
    names = [f"webhook/{record.id}" for record in records.webhooks(reader)]
    if view.spec and view.spec.policies.backup:
        names.append(f"backup/{view.spec.policies.backup.target}")
    if reader.one(SENT, Sent):
        names.append(SYSLOG)
    opened = {breaker.name for breaker in view.breakers}
    samples = [
        ({"breaker": name, "state": state}, float((name in opened) == (state == "open")))
        for name in names
        for state in ("closed", "open")
    ]
    if samples:
        told = "1 for the state a circuit breaker is in; the one call that ends a pause counts as open."
        yield Family("aware_breaker_state", "gauge", told, samples)
