"""One reign: its fenced writer, the commands it takes, and its duties under one supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from aware_agent import tracing
from aware_agent.agent.duties import Duty, run_duties
from aware_agent.agent.member.link import Do, Done
from aware_agent.agent.node import Node
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.audit import Entry
from aware_agent.colony.decision_log import Machine
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.plain_words import in_words
from aware_agent.colony.quota import Quotas
from aware_agent.colony.trace import SpanKind, parse
from aware_agent.queen.access import AccessCommands
from aware_agent.queen.admission import Admission
from aware_agent.queen.audit import Seals
from aware_agent.queen.audit_duty import AuditDuty
from aware_agent.queen.away import AwayCommands
from aware_agent.queen.backup.commands import BackupCommands
from aware_agent.queen.backup.keeper import BackupKeeper
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.check import CheckCommands
from aware_agent.queen.commands import AnyCommand, tag_of
from aware_agent.queen.council_commands import CouncilCommands
from aware_agent.queen.council_duty import CouncilDuty
from aware_agent.queen.demand import DemandCommands
from aware_agent.queen.dispatch import Caller, CommandTable, Verbs
from aware_agent.queen.drain import Drain
from aware_agent.queen.etcd_probe import EtcdProbe
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.history import History
from aware_agent.queen.hooks import HookCommands
from aware_agent.queen.jobs.book import JobBook
from aware_agent.queen.jobs.commands import JobCommands
from aware_agent.queen.jobs.playbooks import ProcessPlaybooks
from aware_agent.queen.jobs.table import OperationsDuty
from aware_agent.queen.jobs.worker import JobWorker
from aware_agent.queen.limits import LimitsDuty
from aware_agent.queen.node_config import ConfigCommands
from aware_agent.queen.nodes import NodeCommands
from aware_agent.queen.once import OnceBook
from aware_agent.queen.orders import NodeOrders
from aware_agent.queen.present import Present
from aware_agent.queen.providers import ProviderCommands
from aware_agent.queen.reconcile import Reconciler
from aware_agent.queen.rotation import Rotation
from aware_agent.queen.scaling import ScalingDuty
from aware_agent.queen.secrets import SecretBook, SecretCommands
from aware_agent.queen.servers.keeper import ServerKeeper, server_policy
from aware_agent.queen.servers.socket import SocketProvider
from aware_agent.queen.service_accounts import ServiceAccountCommands, orphans
from aware_agent.queen.sessions import SessionCommands
from aware_agent.queen.syslog.duty import SyslogDuty
from aware_agent.queen.webhooks.commands import WebhookCommands
from aware_agent.queen.webhooks.keeper import WebhookKeeper
from aware_agent.queen.wishes import WishCommands
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.token import TokenRecord
from aware_agent.store import ops

log = logging.getLogger(__name__)


class Reign:
    """Built on a picture that contains this reign's beginning. After :meth:`close` it writes nothing any more."""

    def __init__(
        self, node: Node, reader: ColonyReader, history: History, term: int, archived: Callable[[], int] = lambda: 0
    ) -> None:
        self.term = term
        self._writer = writer = FencedWriter(node.client, reader, term, Seals(node.settings.colony, node.keyring))
        self._sealer = sealer = KeyringSealer(node.keyring)
        assert node.member is not None  # who reigns is a council member
        self._channels = node.member
        present = Present(reader, node.member)
        once = OnceBook(writer, sealer)
        sessions = SessionCommands(writer)

        def old(now: float) -> list[ops.Op]:
            return once.old(now) or sessions.old(now) or orphans(writer)

        self._reconciler = Reconciler(writer, history, node.id, present, old)
        assert node.operations is not None
        self._operations = OperationsDuty(writer, node.operations, node.settings.name)
        secrets = SecretBook(reader, sealer)
        book = JobBook(writer, sealer, node.operations, secrets)
        playbooks = ProcessPlaybooks(node.settings, reader, node.keyring, lambda: node.ca_pem)
        self._jobs = JobWorker(writer, book, playbooks, node=node.settings.name, parallel=node.settings.jobs.parallel)
        self._backups = BackupKeeper(writer, node.settings, lambda: node.etcd)
        reach = node.settings.outgoing.reach()
        self._webhooks = WebhookKeeper(writer, history, sealer, reach)
        quotas = Quotas(node.settings.quota.rates())
        certificates = Certificates(writer, node.keyring, sealer, lambda: node.etcd, quotas)
        self._users = EtcdUsers(writer, certificates, lambda: node.etcd, lambda: node.council_ca_pem)
        etcd, bundle = (lambda: node.etcd), (lambda: node.council_ca_pem)
        self._council = CouncilDuty(writer, certificates, node.id, etcd, bundle, restarts=present.restarts)
        probe = EtcdProbe(certificates, node.id, lambda: node.etcd, self._council.keeps_etcd)
        self._rotation = Rotation(writer, certificates, probe, present.reports)
        wishes, council = WishCommands(writer, node.id, node.resign), CouncilCommands(writer, self._council)
        self._drain = Drain(writer, node.id, wishes, council)
        loads = node.loads.loads if node.loads else dict
        self._limits, self._scaling = LimitsDuty(writer, loads), ScalingDuty(writer, loads)
        nodes = NodeCommands(writer, node.id, self._users)
        provider = SocketProvider(node.settings.servers.socket)
        self._servers = ServerKeeper(writer, sealer, nodes, provider, lambda: server_policy(reader))
        verbs = Verbs(
            nodes=nodes,
            away=AwayCommands(writer, node.id),
            configs=ConfigCommands(writer),
            orders=NodeOrders(writer, node.member, present),
            wishes=wishes,
            council=council,
            access=AccessCommands(writer, node.client, sealer, sessions),
            service_accounts=ServiceAccountCommands(writer),
            sessions=sessions,
            providers=ProviderCommands(writer, sessions),
            secrets=SecretCommands(writer, secrets, sealer),
            hooks=HookCommands(writer, node.client, book, self._jobs.refresh),
            jobs=JobCommands(writer, book, self._jobs.refresh),
            backups=BackupCommands(writer, self._backups.refresh),
            webhooks=WebhookCommands(writer, sealer, self._webhooks, reach),
            admission=Admission(writer, certificates, self._users, present.reports),
            certificates=certificates,
            rotation=self._rotation,
            check=CheckCommands(writer),
            demand=DemandCommands(writer),
        )
        self._syslog = syslog = SyslogDuty(writer, node.settings.audit, node.settings.name, reach)
        self._audit = AuditDuty(writer, node.id, archived, lambda: syslog.settled)
        self._commands = CommandTable(writer, verbs, once, quotas)
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Do the queen's duties until :meth:`close`. Whichever fails first fails the reign: it raises that here."""
        duties = [
            Duty("reconcile", self._reconciler.run),
            Duty("operations", self._operations.run),
            Duty("jobs", self._jobs.run),
            Duty("servers", self._servers.run),
            Duty("backups", self._backups.run),
            Duty("webhooks", self._webhooks.run),
            Duty("etcd users", self._users.run),
            Duty("rotation", self._rotation.run),
            Duty("council", self._council.run),
            Duty("drain", self._drain.run),
            Duty("audit", self._audit.run),
            Duty("audit log to syslog", self._syslog.run),
            Duty("limits", self._limits.run),
            Duty("scaling", self._scaling.run),
        ]
        unlisten = self._channels.listen(self._reconciler.refresh)
        self._channels.take_notes = self._audit.take
        try:
            await run_duties(duties, self._over, _nothing)
        finally:
            unlisten()
            self._channels.take_notes = None

    def close(self) -> None:
        """No write of this term is started after this returns; the duties end a moment later."""
        self._writer.close()
        self._over.set()

    def changed(self) -> None:
        """The picture changed."""
        refreshes: tuple[Callable[[], None], ...] = (
            self._reconciler.refresh,
            self._backups.refresh,
            self._rotation.refresh,
            self._servers.refresh,
            self._drain.refresh,
            self._limits.refresh,
            self._scaling.refresh,
        )
        for refresh in refreshes:
            refresh()

    async def execute(self, do: Do) -> Done:
        """Carry out a command of the gateway. Raises AwareError, Deposed among them."""
        try:
            command = from_msgpack(do.command, AnyCommand)
        except msgspec.ValidationError as error:  # as of a name in a path, which no route has decoded before
            said = in_words(error)
            raise InvalidInput(said.message, field=said.field) from error
        except UNDECODABLE as error:
            raise InvalidInput("this is no command") from error
        about: tracing.Told = {"aware.term": self.term, "aware.request": do.asker.request, "aware.dry_run": do.dry}
        with tracing.record(parse(do.trace), f"queen {tag_of(command)}", SpanKind.SERVER, about):
            return await self._carry_out(command, do)

    async def _carry_out(self, command: AnyCommand, do: Do) -> Done:
        log.debug("%s asks for %s", do.actor, type(command).__name__)
        caller = Caller(do.actor, do.asker, do.once, do.grant)
        if do.dry:
            rehearsal = msgspec.Raw(msgspec.msgpack.encode(await self._commands.rehearse(command, caller)))
            return Done(id=do.id, revision=self._writer.last_written, result=rehearsal, replayed=False)
        outcome = await self._commands.run(command, caller)
        result = msgspec.Raw(msgspec.msgpack.encode(outcome.result))
        return Done(id=do.id, revision=self._writer.last_written, result=result, replayed=outcome.replayed)

    def keeping(self) -> Machine | None:
        """What the council's keeper knows and decided; None where etcd is its operators' own."""
        return self._council.keeping()

    def note(self, member: str, entries: Sequence[Entry], taken: Callable[[], object]) -> None:
        """Lines for the audit log that ``member`` has; ``taken`` is called when they stand there."""
        self._audit.take(member, entries, taken)

    def seek_key(self, token_id: str) -> bytes | None:
        """Beacon key of a join token that is still good."""
        record = self._writer.reader.one(f"tokens/{token_id}", TokenRecord)  # asked by anybody: not one look at all
        if record is None or record.uses_left == 0:
            return None
        return self._sealer.open(record.beacon_key, self._writer.key("tokens", token_id))


async def _nothing() -> None:
    """Nothing is left to do when a reign ends: it was told to stop before."""
