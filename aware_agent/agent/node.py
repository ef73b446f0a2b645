"""One running member: connects to etcd, shows presence, takes part in the election, beacons, serves HTTP.

What a queen does is not here: ``court`` and ``server`` are handed in by the composition root
(:mod:`aware_agent.daemon`), which loads them when this node may reign.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from aware_agent import __version__
from aware_agent.agent.beacons import SeekKey, announce_keys, make_beacons, pace, portrait
from aware_agent.agent.capabilities import measure
from aware_agent.agent.connect import connect
from aware_agent.agent.dates import not_after
from aware_agent.agent.duties import Duty, run_duties
from aware_agent.agent.figures import node_families
from aware_agent.agent.logs import set_level
from aware_agent.agent.lookout import Lookout
from aware_agent.agent.presence import Presence
from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.renewal import Renewal, renew_once, trust_report
from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.agent.throne import Court, Throne
from aware_agent.colony import election
from aware_agent.colony.election import Crown, Election, Resign
from aware_agent.colony.errors import AwareError
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Config, Report
from aware_agent.colony.rotation import Trust
from aware_agent.colony.succession import line_of_succession
from aware_agent.discovery.remembered import load_remembered, save_remembered
from aware_agent.discovery.service import BeaconService, Portrait
from aware_agent.security.renewing import NotAMember
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.lines import Credentials
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch
from aware_agent.telemetry import Family

log = logging.getLogger(__name__)

LEAVE_S = 3.0  # how long a clean shutdown may take to hand over
DEAF_S = 60.0  # the presence lease lives, but the projection hears nothing for so long: it hangs
RENEW_WAYS = 8  # gateways asked in one attempt to renew
STALE_S = 5.0  # without contact to etcd for longer, the node is not ready


class Removed(AwareError):
    """The queen has removed this node from the colony."""

    code = "removed"
    exit_code = 20


class Server(Protocol):
    """The HTTP server of this node."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Stop listening and finish."""

    def reload_tls(self) -> None:
        """Show the certificate that lies in the state directory now, to those who connect from now on."""


class Node:
    """One member of a colony. :meth:`run` returns when it was asked to stop, or raises AwareError."""

    def __init__(
        self, settings: Settings, state_dir: StateDir, state: NodeState, client: EtcdClient, origin: str
    ) -> None:
        now = time.time()
        self.settings = settings
        self.client = client
        self.id = state.identity.id
        self.name = state.identity.name
        self.ca_pem = state.ca
        self._certificate = state.certificate
        self.keyring = state.membership.keyring()
        self.etcd = settings.store.endpoints or state.membership.etcd
        self.keys = Keys(settings.colony)
        self.started_at = now
        self.incarnation = ulid(now, os.urandom(10))
        self._state_dir = state_dir
        self._base = self._first_report(state, origin)
        self._renewal = Renewal(state, self._renew, self._adopt)
        self._server: Server | None = None
        self._keeper = LeaseKeeper(client)
        self._projection = Projection(client, [self.keys.worker_range(), _one_key(self.keys.key("config", self.id))])
        self._reader: ColonyReader | None = None
        self._presence = Presence(
            client,
            self._keeper,
            self.keys,
            node=self.id,
            ttl_s=settings.timing.presence_ttl_s,
            report=self._base,
        )
        self._throne: Throne | None = None
        self._beacons: BeaconService | None = None
        self._recorded = False
        self._looked = False
        self._seen_term = 0  # create revision of the queen key last looked at
        own = [self.keys.key(kind, self.id) for kind in ("nodes", "config", "presence")]
        self._lookout = Lookout({self.keys.queen, self.keys.handover, *own}, self._look)
        self._stop = asyncio.Event()
        self._failure: AwareError | None = None

    # What others ask ---------------------------------------------------------------------------------------------

    @property
    def me(self) -> str:
        """Id of this node."""
        return self.id

    def queen_url(self) -> str | None:
        """Base URL of the queen as far as this node knows; None if there is none or it is this node."""
        crown = self._reader.crown() if self._reader else None
        return crown.url if crown and crown.id != self.id else None

    def ready(self) -> tuple[bool, str]:
        """Whether this node takes part: in contact with etcd and aware of a queen."""
        if self._reader is None:
            return False, "starting"
        since = self._projection.stale_since
        if since is not None and time.monotonic() - since > STALE_S:
            return False, f"no contact with etcd for {time.monotonic() - since:.0f} s"
        if self._reader.crown() is None:
            return False, "no queen"
        return True, "reigning" if self.term else "following the queen"

    @property
    def term(self) -> int:
        """The term this node reigns under, 0 for a worker."""
        return self._throne.state.term if self._throne else 0

    def living(self) -> bool:
        """Whether this node serves and shows its presence."""
        return self._presence.shown

    def standing(self) -> str:
        """One sentence on what this node does, for people who ask the service manager."""
        ready, reason = self.ready()
        if self.term:
            return f"queen of colony {self.settings.colony}, term {self.term}"
        crown = self._reader.crown() if self._reader and ready else None
        return f"worker of queen {crown.name}, term {self._seen_term}" if crown else f"not ready: {reason}"

    def stalled(self) -> str:
        """Which part of this node hangs, for a watchdog; empty while it makes progress. A lost etcd is no stall."""
        since = self._projection.stale_since
        deaf = since is not None and time.monotonic() - since > DEAF_S and self._presence.shown
        return (
            (self._throne.stalled() if self._throne else "")
            or (self._presence.stalled() if self._throne else "")
            or ("its presence lives, but it hears nothing from etcd" if deaf else "")
        )

    @property
    def secret(self) -> bytes:
        """The colony secret, in the generation that signs."""
        return self.keyring.secret

    def families(self) -> Iterable[Family]:
        """Metrics of this node."""
        stale = self._projection.stale_since
        return node_families(
            term=self.term,
            colony_term=self._seen_term,
            ready=self.ready()[0],
            uptime_s=time.time() - self.started_at,
            revision=self._projection.revision,
            stale_s=time.monotonic() - stale if stale is not None else 0.0,
            beacons=self._beacons.metrics() if self._beacons else {},
            certificates={"node": not_after(self._certificate), "ca": not_after(self.ca_pem)},
            state_dir=self._state_dir.path,
        )

    # What others tell --------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Shut down cleanly."""
        self._stop.set()

    def resign(self, wish: Resign) -> None:
        """Hand the throne over."""
        if self._throne:
            self._throne.tell(wish)

    def depose(self) -> None:
        """A fenced write was refused: this node's term is over, whatever its lease says."""
        if self._throne:
            self._throne.tell(election.LeaseLost())

    def fail_reign(self) -> None:
        """The queen's duties broke: let another node try."""
        self.resign(Resign("", "its duties failed"))

    # Life --------------------------------------------------------------------------------------------------------

    async def run(self, court: Court, server: Server, seek_key: SeekKey) -> None:
        """Live until :meth:`stop`. Everything started here is wound up when it returns or raises."""
        await connect(self.client, self._projection, self.settings.store, self._why_refused)
        await server.start()
        self._server = server
        try:
            self._beacons = make_beacons(self.settings, self.keyring, self._portrait, seek_key)
            await self._beacons.start()
            self._reader = ColonyReader(self._projection, self.keys)
            self._throne = self._make_throne(court)
            self._projection.listen(self._on_batch)
            self._lookout.look()
            log.info("%s is up at %s", self.name, self.settings.url, extra={"fields": {"id": self.id}})
            duties = [
                Duty("presence", self._presence.run),
                Duty("election", self._throne.run),
                Duty("renewal", self._renewal.run),
            ]
            await run_duties(duties, self._stop, self._wind_up)
            if self._failure:
                raise self._failure
        finally:
            self._lookout.close()
            if self._beacons:
                await self._beacons.aclose()
            await server.stop()
            await self._projection.aclose()
            await self._keeper.aclose()

    async def _why_refused(self) -> None:
        """etcd does not know us: if that is because we were removed, say so. Raises :class:`Removed`."""
        known = load_remembered(self._state_dir.peers_path)
        try:
            await renew_once(self._state_dir, self.settings.address, known[:RENEW_WAYS])
        except NotAMember:
            raise Removed(f"{self.name} was removed from colony {self.settings.colony}") from None
        except AwareError as error:
            log.info("nobody could say why etcd refuses: %s", error.message)

    async def _wind_up(self) -> None:
        """Clean shutdown, while the other duties still run: throne first, then good-bye."""
        if self._throne:
            await self._throne.leave(LEAVE_S)
        await self._presence.say_goodbye()
        if self._reader:
            self._remember()

    def _on_batch(self, batch: ProjectionBatch) -> None:
        keys = [change.kv.key for change in batch.changes]
        if self._reader and self._reader.changed(batch.revision, keys):
            self._lookout.changed(keys, everything=batch.relisted)

    def _look(self) -> None:
        """Draw the consequences of what the projection shows now."""
        assert self._reader is not None
        assert self._throne is not None
        self._throne.tell(election.Line(line_of_succession(self._reader.presence())))
        self._look_at_throne()
        self._renewal.tell(self._trust(), len(self._reader.presence()))
        self._look_at_config()
        recorded = self._projection.get(self.keys.key("nodes", self.id)) is not None
        if self._recorded and not recorded:
            self._failure = Removed(f"{self.name} was removed from colony {self.settings.colony}")
            self._stop.set()
        self._recorded = recorded

    def _look_at_throne(self) -> None:
        assert self._reader is not None
        assert self._throne is not None
        queen = self._projection.get(self.keys.queen)
        crown = self._reader.crown()
        if queen is not None and crown is not None:
            if queen.create_revision != self._seen_term or not self._looked:
                self._throne.tell(election.Crowned(crown, queen.create_revision))
                self._seen_term = queen.create_revision
                self._remember()
                if self._beacons:
                    self._beacons.hurry()
        elif self._seen_term or not self._looked:
            handover = self._reader.handover()
            fresh = handover if handover and handover.term == self._seen_term else None
            self._throne.tell(election.Vacant(fresh))
            self._seen_term = 0
        self._looked = True

    def _look_at_config(self) -> None:
        assert self._reader is not None
        stored = self._projection.get(self.keys.key("config", self.id))
        config = self._reader.one(f"config/{self.id}", Config) or Config()
        agent = config.agent
        set_level(agent.log_level or self.settings.log.level)
        if self._beacons:
            self._beacons.pace = pace(self.settings, agent)
        base = self._base
        self._presence.update(
            msgspec.structs.replace(
                base,
                candidate=(base.candidate if agent.candidate is None else agent.candidate) and self._may_reign(),
                priority=base.priority if agent.priority is None else agent.priority,
                config_version=stored.version if stored else 0,
            )
        )

    def _trust(self) -> Trust:
        """What the colony believes in now."""
        return (self._reader.one("pki", Trust) if self._reader else None) or Trust()

    def _may_reign(self) -> bool:
        """A queen has to sign and seal with the present secret; who does not have it lets others reign."""
        return self.keyring.whole and self._trust().generation in self.keyring.given

    # Certificate -------------------------------------------------------------------------------------------------

    async def _renew(self) -> NodeState:
        queen = self.settings.url if self.term else self.queen_url()
        known = [*([queen] if queen else []), *load_remembered(self._state_dir.peers_path)]
        try:
            return await renew_once(self._state_dir, self.settings.address, list(dict.fromkeys(known))[:RENEW_WAYS])
        except NotAMember as error:
            # What counts is our record in etcd; a queen that just took over may not have seen it yet.
            if self._projection.get(self.keys.key("nodes", self.id)) is None:
                self._failure = Removed(f"{self.name} is not in colony {self.settings.colony} any more")
                self._stop.set()
            raise AwareError(error.message, hint=error.hint) from error

    def _adopt(self, state: NodeState) -> None:
        """Use what was renewed: towards etcd, at the gateway, in beacons, in our report."""
        self.client.renew(Credentials(ca=state.ca, cert=state.certificate, key=state.key))
        if self._server:
            self._server.reload_tls()
        self.ca_pem, self._certificate = state.ca, state.certificate
        self.keyring.adopt(state.membership.generation, state.membership.keyring().given)
        if self._beacons:
            self._beacons.keys = announce_keys(self.keyring)
        self._base = msgspec.structs.replace(self._base, trust=trust_report(self.keyring, state, self.incarnation))
        if self._reader:
            self._look_at_config()

    def _remember(self) -> None:
        """Keep the members' addresses for a start without broadcast."""
        assert self._reader is not None
        others = sorted(r.url for node, r in self._reader.presence().items() if node != self.id)
        queen = self.queen_url()
        try:
            save_remembered(self._state_dir.peers_path, ([queen] if queen else []) + others)
        except AwareError as error:
            log.warning("members not remembered: %s", error)

    # Parts -------------------------------------------------------------------------------------------------------

    def _first_report(self, state: NodeState, origin: str) -> Report:
        settings = self.settings
        return Report(
            name=self.name,
            address=settings.address,
            url=settings.url,
            incarnation=self.incarnation,
            version=__version__,
            joined_at=state.membership.joined_at,
            candidate=settings.candidate and self.keyring.whole,
            priority=settings.priority,
            capabilities=measure(Path(settings.state_dir), settings.zone),
            labels=settings.labels,
            origin=origin,
            trust=trust_report(self.keyring, state, self.incarnation),
        )

    def _make_throne(self, court: Court) -> Throne:
        state = Election(me=self.id, incarnation=self.incarnation, timing=self.settings.timing)
        return Throne(self.client, self._keeper, self.keys, state=state, crown=self._crown, court=court)

    def _portrait(self) -> Portrait:
        queen = self._projection.get(self.keys.queen)
        return portrait(self.settings, self.id, self.name, self._reader, queen.create_revision if queen else 0)

    def _crown(self) -> Crown:
        return Crown(id=self.id, name=self.name, url=self.settings.url, incarnation=self.incarnation, since=time.time())


def _one_key(key: bytes) -> tuple[bytes, bytes]:
    return key, key + b"\0"
