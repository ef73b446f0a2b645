"""The command table of one reign: who carries out which command, each as one fenced transaction."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from msgspec.structs import replace

from aware_agent.agent.member.link import Asked
from aware_agent.colony.audit import Asker, Kind
from aware_agent.colony.decoding import from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.colony.quota import Quotas, WriteKind
from aware_agent.queen import commands as do
from aware_agent.queen.access import AccessCommands
from aware_agent.queen.admission import Admission
from aware_agent.queen.audit import Auditing, auditing
from aware_agent.queen.away import AwayCommands
from aware_agent.queen.backup.commands import BackupCommands
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.check import CheckCommands
from aware_agent.queen.council_commands import CouncilCommands
from aware_agent.queen.demand import DemandCommands
from aware_agent.queen.hooks import HookCommands
from aware_agent.queen.jobs.commands import JobCommands
from aware_agent.queen.node_config import ConfigCommands
from aware_agent.queen.nodes import NodeCommands
from aware_agent.queen.once import CHECKS, Answer, OnceBook
from aware_agent.queen.orders import NodeOrders
from aware_agent.queen.providers import ProviderCommands
from aware_agent.queen.rehearsal import Rehearsal, WouldAct, rehearsing
from aware_agent.queen.rotation import Rotation
from aware_agent.queen.secrets import SecretCommands
from aware_agent.queen.service_accounts import ServiceAccountCommands
from aware_agent.queen.sessions import SessionCommands
from aware_agent.queen.standing import Standing
from aware_agent.queen.webhooks.commands import WebhookCommands
from aware_agent.queen.wishes import WishCommands
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.grant import Grant


class Caller(NamedTuple):
    """Who asks, from where and by what right, and with which Idempotency-Key."""

    actor: str
    asker: Asker = Asker()
    once: Asked | None = None
    grant: Grant | None = None

    @property
    def owner(self) -> str:
        """Whose keys are remembered as one: another account of the same name has its own. No name has a ``~``."""
        return f"{self.actor}~{self.grant.account}" if self.grant else self.actor

    @property
    def source(self) -> str:
        """The address it came from."""
        return self.asker.source


class Outcome(NamedTuple):
    """What a command is answered with, and whether it was carried out before."""

    result: object
    replayed: bool = False


class Verbs(NamedTuple):
    """Who knows how to do things."""

    nodes: NodeCommands
    away: AwayCommands
    configs: ConfigCommands
    orders: NodeOrders
    wishes: WishCommands
    council: CouncilCommands
    access: AccessCommands
    service_accounts: ServiceAccountCommands
    sessions: SessionCommands
    providers: ProviderCommands
    secrets: SecretCommands
    hooks: HookCommands
    jobs: JobCommands
    backups: BackupCommands
    webhooks: WebhookCommands
    admission: Admission
    certificates: Certificates
    rotation: Rotation
    check: CheckCommands
    demand: DemandCommands


KINDS: dict[type, WriteKind] = {
    **dict.fromkeys((do.BeginSession, do.BeginFederated, do.RefreshSession), WriteKind.SESSION),
    **dict.fromkeys(
        (
            do.CreateToken,
            do.PutUser,
            do.PutProvider,
            do.PutSecret,
            do.RunJob,
            do.RetryJob,
            do.AcceptHook,
            do.RecordSigned,
            do.RequestBackup,
            do.BeginCheck,
        ),
        WriteKind.CREATE,
    ),
    **dict.fromkeys((do.CreateServiceAccount, do.CreateServiceToken), WriteKind.CREATE),
    **dict.fromkeys(
        (
            do.ChangeNode,
            do.SendAway,
            do.PutConfig,
            do.RollBackConfig,
            do.AllowKey,
            do.OrderNode,
            do.PutSpec,
            do.RollBackSpec,
            do.StepDown,
            do.Transfer,
            do.MoveSeat,
        ),
        WriteKind.CHANGE,
    ),
    **dict.fromkeys((do.StartRotation, do.ContinueRotation, do.AbortRotation), WriteKind.CHANGE),
    do.CreateWebhook: WriteKind.CREATE,
    **dict.fromkeys((do.ChangeWebhook, do.RotateWebhookSecret, do.TestWebhook, do.ReplayDead), WriteKind.CHANGE),
    do.WriteCheck: WriteKind.CHECK,
    do.PutDemand: WriteKind.DEMAND,
}
"""What counts as what. Not here: reads; what only ends something that was made, so that it can always be ended; joins
and renewals, which are counted once it is proved whose they are."""

Handler = Callable[[Any, Caller], Awaitable[object]]


class CommandTable:
    """Runs commands. Errors are AwareError subclasses, Deposed among them.

    A command is repeated when somebody else wrote the same meanwhile: see :meth:`FencedWriter.repeated`.
    """

    def __init__(self, writer: FencedWriter, verbs: Verbs, once: OnceBook, quotas: Quotas) -> None:
        self._writer = writer
        self._once = once
        self._quotas = quotas
        self._standing = Standing(writer)
        self._handlers = {
            **_nodes(verbs.nodes),
            **_away(verbs.away),
            **_configs(verbs.configs),
            **_channels(verbs.orders),
            **_wishes(verbs.wishes, verbs.council),
            **_access(verbs.access),
            **_service_accounts(verbs.service_accounts),
            **_sessions(verbs.sessions),
            **_providers(verbs.providers),
            **_secrets(verbs.secrets),
            **_trust(verbs),
            **_orders(verbs),
            **_jobs(verbs.jobs),
            **_webhooks(verbs.webhooks),
            **_check(verbs.check),
            **_demand(verbs.demand),
        }

    async def run(self, command: do.AnyCommand, caller: Caller) -> Outcome:
        """Carry ``command`` out; the answer is of the type the command names."""
        # A renewal writes history only and takes each request once: repeated, it would refuse itself.
        again = self._first if isinstance(command, do.Renew) else self._writer.repeated(self._first)
        with auditing(audited(command, caller)):
            return await again(command, caller)

    async def rehearse(self, command: do.AnyCommand, caller: Caller) -> Rehearsal:
        """Carry ``command`` out up to its first effect, and say what would come of it. Raises as :meth:`run` does."""
        with rehearsing(), self._standing.required(caller.actor, caller.grant):
            try:
                await self._handlers[type(command)](command, caller)
            except WouldAct as would:
                return Rehearsal(changed=True, sentences=would.sentences)
        return Rehearsal(changed=False)

    async def _first(self, command: do.AnyCommand, caller: Caller) -> Outcome:
        handler = self._handlers[type(command)]
        with self._standing.required(caller.actor, caller.grant):
            return await self._judged(handler, command, caller)

    async def _judged(self, handler: Handler, command: do.AnyCommand, caller: Caller) -> Outcome:
        if caller.once is None:
            self._spend(command, caller)
            return Outcome(await handler(command, caller))
        kind = do.ANSWERS.get(type(command), do.Written)
        owner = CHECKS if isinstance(command, do.WriteCheck) else caller.owner
        if (known := self._once.find(owner, caller.once)) is not None:
            return _replayed(known, kind)
        with self._once.running(owner, caller.once, plain=kind is do.Written) as run:
            try:
                self._spend(command, caller)  # not before: what was done already is told to whoever asks again
                result = await handler(command, caller)
                await self._writer.remember(result)
            except AwareError:
                # The same request waited for the lock before this one, and met what it asked for: so it is answered.
                if run.begun or (known := self._once.find(owner, caller.once)) is None:
                    raise
                return _replayed(known, kind)
        return Outcome(result)

    def _spend(self, command: do.AnyCommand, caller: Caller) -> None:
        kind = KINDS.get(type(command))
        if kind is not None:
            self._quotas.spend(kind, caller.actor, time.monotonic())


def _replayed(known: Answer, kind: Any) -> Outcome:
    return Outcome(known.written if known.raw is None else from_msgpack(known.raw, kind), replayed=True)


# What a command is about is in one of these, in this order.
_SUBJECTS = (
    "node", "user", "name", "account", "token", "operation", "job", "session", "webhook", "key", "jti", "run", "source",
)  # fmt: skip


def audited(command: do.AnyCommand, caller: Caller) -> Auditing:
    """How the audit log tells what ``command`` changes."""
    asker = caller.asker
    if isinstance(command, do.Join):
        asker = replace(asker, kind=Kind.NODE, credential=f"token:{command.request.token_id}")
        subject = command.request.node_id
    elif isinstance(command, do.Renew):
        asker, subject = replace(asker, kind=Kind.NODE), command.request.node_id
    else:
        subject = next((str(getattr(command, name)) for name in _SUBJECTS if getattr(command, name, None)), "")
    # Values of a check come as fast as they are let, and are no state of the colony: its end tells how many there were.
    # When a token was used last is what a gateway saw, not a change that somebody asked for. A demand is a measurement;
    # what a caste makes of it is an event.
    told = not isinstance(command, do.WriteCheck | do.NoteUses | do.PutDemand)
    return Auditing(asker, caller.actor, do.tag_of(command), subject, told)


def _nodes(nodes: NodeCommands) -> dict[type, Handler]:
    return {
        do.ChangeNode: lambda c, by: nodes.change_node(
            c.node,
            labels=c.labels,
            cordoned=c.cordoned,
            drained=c.drained,
            pinned=c.pinned,
            if_revision=c.if_revision,
            actor=by.actor,
        ),
        do.AllowKey: lambda c, by: nodes.allow_key(c.key, actor=by.actor),
        do.RemoveNode: lambda c, by: nodes.remove_node(c.node, force=c.force, actor=by.actor),
    }


def _away(away: AwayCommands) -> dict[type, Handler]:
    return {
        do.SendAway: lambda c, by: away.send_away(c.node, reason=c.reason, until=c.until, actor=by.actor),
        do.BringBack: lambda c, by: away.bring_back(c.node, actor=by.actor),
    }


def _configs(configs: ConfigCommands) -> dict[type, Handler]:
    return {
        do.PutConfig: lambda c, by: configs.put_config(c.node, c.config, if_revision=c.if_revision, actor=by.actor),
        do.RollBackConfig: lambda c, by: configs.roll_back_config(
            c.node, c.revision, if_revision=c.if_revision, actor=by.actor
        ),
    }


def _channels(orders: NodeOrders) -> dict[type, Handler]:
    return {
        do.OrderNode: lambda c, by: orders.order(c.node, c.order, actor=by.actor),
        do.ReadChannel: lambda c, _by: orders.channel(c.node),
    }


def _wishes(wishes: WishCommands, council: CouncilCommands) -> dict[type, Handler]:
    return {
        do.PutSpec: lambda c, by: wishes.put_spec(c.spec, if_revision=c.if_revision, actor=by.actor, grant=by.grant),
        do.RollBackSpec: lambda c, by: wishes.roll_back_spec(
            c.revision, if_revision=c.if_revision, actor=by.actor, grant=by.grant
        ),
        do.StepDown: lambda _, by: wishes.step_down(actor=by.actor),
        do.Transfer: lambda c, by: wishes.transfer(c.node, actor=by.actor),
        do.MoveSeat: lambda c, by: council.move_seat(c.source, c.target, actor=by.actor),
    }


def _access(access: AccessCommands) -> dict[type, Handler]:
    return {
        do.CreateToken: lambda c, by: access.create_token(
            ttl_s=c.ttl_s,
            uses=c.uses,
            node_name=c.node_name,
            eligible=c.eligible,
            addresses=c.addresses,
            actor=by.actor,
        ),
        do.RevokeToken: lambda c, by: access.revoke_token(c.token, actor=by.actor),
        do.PutUser: lambda c, by: access.put_user(
            c.name,
            password_hash=c.password_hash,
            role=c.role,
            keep_sessions=c.keep_sessions,
            actor=by.actor,
            grant=by.grant,
        ),
        do.DeleteUser: lambda c, by: access.delete_user(c.name, actor=by.actor, grant=by.grant),
        do.RevokeAccess: lambda c, by: access.revoke_access(c.jti, c.expires_at, actor=by.actor),
    }


def _service_accounts(accounts: ServiceAccountCommands) -> dict[type, Handler]:
    return {
        do.CreateServiceAccount: lambda c, by: accounts.create(c, actor=by.actor, grant=by.grant),
        do.DeleteServiceAccount: lambda c, by: accounts.delete(c.name, actor=by.actor, grant=by.grant),
        do.CreateServiceToken: lambda c, by: accounts.create_token(c, actor=by.actor, grant=by.grant),
        do.RevokeServiceToken: lambda c, by: accounts.revoke_token(c.account, c.token, actor=by.actor, grant=by.grant),
        do.NoteUses: lambda c, by: accounts.note_uses(c.uses, member=by.actor),
    }


def _sessions(sessions: SessionCommands) -> dict[type, Handler]:
    return {
        do.BeginSession: lambda c, by: sessions.begin(c, by.source),
        do.RefreshSession: lambda c, by: sessions.refresh(c, by.source),
        do.EndSession: lambda c, by: sessions.end(c.session, actor=by.actor),
        do.EndSessions: lambda c, by: sessions.end_all(c.user, actor=by.actor),
    }


def _providers(providers: ProviderCommands) -> dict[type, Handler]:
    return {
        do.PutProvider: lambda c, by: providers.put(c, actor=by.actor, grant=by.grant),
        do.DeleteProvider: lambda c, by: providers.delete(c.name, actor=by.actor, grant=by.grant),
        do.BeginFederated: lambda c, by: providers.begin(c, by.source),
    }


def _secrets(secrets: SecretCommands) -> dict[type, Handler]:
    return {
        do.PutSecret: lambda c, by: secrets.put(c, actor=by.actor),
        do.DeleteSecret: lambda c, by: secrets.delete(c.name, actor=by.actor),
    }


def _trust(verbs: Verbs) -> dict[type, Handler]:
    rotation = verbs.rotation
    return {
        do.Join: lambda c, by: verbs.admission.join(c.request, by.source),
        do.Renew: lambda c, by: verbs.certificates.renew(c.request, by.source),
        do.StartRotation: lambda c, by: rotation.start(by.actor, c.new, hold=c.hold, patience_s=c.patience_s),
        do.ContinueRotation: lambda _, by: rotation.resume(by.actor),
        do.AbortRotation: lambda _, by: rotation.abort(by.actor),
        do.ReportRotation: lambda _c, _by: rotation.report(),
    }


def _orders(verbs: Verbs) -> dict[type, Handler]:
    return {
        do.AcceptHook: lambda c, by: verbs.hooks.accept_hook(c.order, actor=by.actor, permit=c.permit),
        do.RecordSigned: lambda c, by: verbs.hooks.record_signed(c.permit, actor=by.actor),
        do.RequestBackup: lambda _, by: verbs.backups.request_backup(actor=by.actor),
        do.NoteIntrusion: lambda c, by: verbs.access.note_intrusion(c.counts, c.sources, member=by.actor),
    }


def _jobs(jobs: JobCommands) -> dict[type, Handler]:
    return {
        do.RunJob: lambda c, by: jobs.run_job(c.operation, c.parameters, c.hosts, grant=by.grant, actor=by.actor),
        do.RetryJob: lambda c, by: jobs.retry_job(c.job, if_revision=c.if_revision, grant=by.grant, actor=by.actor),
        do.CancelJob: lambda c, by: jobs.cancel_job(c.job, if_revision=c.if_revision, grant=by.grant, actor=by.actor),
    }


def _webhooks(webhooks: WebhookCommands) -> dict[type, Handler]:
    return {
        do.CreateWebhook: lambda c, by: webhooks.create(c, actor=by.actor),
        do.ChangeWebhook: lambda c, by: webhooks.change(c, actor=by.actor),
        do.RemoveWebhook: lambda c, by: webhooks.remove(c.webhook, actor=by.actor),
        do.RotateWebhookSecret: lambda c, by: webhooks.rotate(c, actor=by.actor),
        do.TestWebhook: lambda c, by: webhooks.test(c.webhook, actor=by.actor),
        do.ReplayDead: lambda c, by: webhooks.replay(c.webhook, c.event, actor=by.actor),
        do.DropDead: lambda c, by: webhooks.drop(c.webhook, c.event, actor=by.actor),
    }


def _check(check: CheckCommands) -> dict[type, Handler]:
    return {
        do.BeginCheck: lambda c, by: check.begin(c.run, actor=by.actor),
        do.WriteCheck: lambda c, by: check.write(c.run, c.value, if_revision=c.if_revision, actor=by.actor),
        do.ReadCheck: lambda c, _by: check.read(c.run),
        do.EndCheck: lambda c, by: check.end(c.run, actor=by.actor),
    }


def _demand(demand: DemandCommands) -> dict[type, Handler]:
    return {do.PutDemand: lambda c, by: demand.put(c.caste, c.value, actor=by.actor)}
