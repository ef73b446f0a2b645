"""One running member: connects to etcd, shows presence, takes part in the election, beacons, serves HTTP.

What a queen does is not here: ``reigns`` and ``server`` are handed in by the composition root
(:mod:`aware_agent.daemon`), which loads them when this node may reign.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from aware_agent.agent.beacons import SeekKey, announce_keys, announcement, make_beacons, pace
from aware_agent.agent.certificate_fields import not_after
from aware_agent.agent.channels import NodeChannels
from aware_agent.agent.connect import connect
from aware_agent.agent.duties import Duty, run_duties
from aware_agent.agent.elector import Elector, ReignLifecycle
from aware_agent.agent.load_meter import LoadMeter
from aware_agent.agent.logs import set_level
from aware_agent.agent.lookout import Lookout
from aware_agent.agent.member.etcd_access import council_access, etcd_credentials
from aware_agent.agent.member.seat import EtcdSeat
from aware_agent.agent.metrics import node_families
from aware_agent.agent.orders import Orders
from aware_agent.agent.parts import RENEW_WAYS, NotElecting, Removed, Server, first_report
from aware_agent.agent.presence import Presence
from aware_agent.agent.queen_watch import QueenWatch
from aware_agent.agent.reader import ColonyReader, Unreadable
from aware_agent.agent.renewal import Renewal, renew_once, trust_report
from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.agent.store_watch import StoreWatch
from aware_agent.background import Background
from aware_agent.channel.client import Channel
from aware_agent.channel.frames import FromMember, Loads, Seat, Why
from aware_agent.colony import election
from aware_agent.colony.council_document import CouncilDocument
from aware_agent.colony.election import Election, QueenRecord, Resign
from aware_agent.colony.errors import AwareError
from aware_agent.colony.ids import ulid
from aware_agent.colony.names import council_host
from aware_agent.colony.node import Config, Record, process_id
from aware_agent.colony.rotation import Trust
from aware_agent.colony.seats import CouncilRecord, SeatRecord
from aware_agent.colony.succession import channels_to
from aware_agent.discovery.remembered import load_remembered, save_remembered
from aware_agent.discovery.service import BeaconService, NodeAnnouncement
from aware_agent.security.refusals import NotAMember
from aware_agent.store.client import EtcdClient
from aware_agent.store.health import StoreState
from aware_agent.store.keys import Keys
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch
from aware_agent.telemetry import Family

if TYPE_CHECKING:
    from aware_agent.agent.explanation import Explanation
    from aware_agent.agent.member.channels import MemberChannels
    from aware_agent.agent.member.detector import FailureDetector
    from aware_agent.agent.member.explain import Machines
    from aware_agent.agent.member.loads import LoadBook
    from aware_agent.agent.member.operations import MemberOperations

log = logging.getLogger(__name__)

LEAVE_S = 3.0  # how long a clean shutdown may take to hand over
DEAF_S = 60.0  # the presence lease lives, but the projection hears nothing for so long: it hangs
STALE_S = 5.0  # without contact to etcd for longer, the node is not ready


class Node:
    """One member of a colony. :meth:`run` returns when it was asked to stop, or raises AwareError."""

    def __init__(
        self,
        settings: Settings,
        state_dir: StateDir,
        state: NodeState,
        client: EtcdClient,
        origin: str,
        *,
        seat: EtcdSeat | None = None,
    ) -> None:
        now = time.time()
        self.settings = settings
        self.client = client
        self.id = state.identity.id
        self.name = state.identity.name
        self.ca_pem = state.ca
        self._certificate = state.certificate
        access = council_access(state)
        self.council_ca_pem, self._council_certificate = access.ca, access.certificate
        self.keyring = state.membership.keyring()
        self.etcd = settings.store.endpoints or state.membership.etcd
        self.keys = Keys(settings.colony)
        self.started_at = now
        self.incarnation = ulid(now, os.urandom(10))
        self._state_dir = state_dir
        self._seat = seat  # None: this node never runs etcd itself
        base = first_report(settings, state, self.keyring, self.incarnation, origin)
        self._base = msgspec.structs.replace(base, etcd=seat.offer if seat else None, serving=False)
        self._renewal = Renewal(state, self._renew, self._adopt, address=settings.address)
        self._server: Server | None = None
        self._served = False  # its gateway answers, as the election was told
        self._keeper = LeaseKeeper(client)
        # Members tell workers their configuration, so they mirror everybody's.
        ranges = [self.keys.member_range(), self.keys.below("config"), self.keys.below("suspect")]
        ranges += [_one_key(self.keys.key("council")), _one_key(self.keys.key("seats", self.id))]
        self._projection = Projection(client, ranges)
        self._reader: ColonyReader | None = None
        self._presence = Presence(
            client,
            self._keeper,
            self.keys,
            node=self.id,
            ttl_s=settings.timing.presence_ttl_s,
            report=self._base,
            term=lambda: self.seen_term,
        )
        self._store = StoreWatch(client, lambda: self._projection.stale_since is None)
        self._elector: Elector | None = None
        self._detector: FailureDetector | None = None
        self._beacons: BeaconService | None = None
        self._recorded = False
        self._queens: QueenWatch | None = None
        own = [self.keys.key(kind, self.id) for kind in ("nodes", "config", "presence", "seats")]
        self._lookout = Lookout({self.keys.queen, self.keys.handover, self.keys.key("council"), *own}, self._look)
        self._suspicions = self.keys.key("suspect/")
        self._orders = Orders(self)
        self._meter = LoadMeter(state_dir.path)
        self._config_version = -1
        self._believed = Trust()
        files = state_dir.certificate_path, state_dir.key_path
        self.channels = NodeChannels(
            council_host(settings.colony),
            *files,
            ca=lambda: self.ca_pem,
            report=self._base,
            orders=self._orders,
            meter=self._meter,
            news=self._hear,
            moved=self._channel_moved,
        )
        self.member = self._make_member(files) if self.keyring.whole else None
        self.loads = self._make_loads(self.member) if self.member else None
        self.operations = self._make_operations() if self.keyring.whole else None
        self.restarting = False
        self._tasks = Background("the renewal of channels")
        self._stop = asyncio.Event()
        self._failure: AwareError | None = None

    # What others ask ---------------------------------------------------------------------------------------------

    @property
    def me(self) -> str:
        """Id of this node."""
        return self.id

    def known_nodes(self) -> tuple[str, ...]:
        """Ids of the nodes that the queen has a record of, as far as this node knows."""
        return tuple(self._reader.records()) if self._reader else ()

    def queen_url(self) -> str | None:
        """Base URL of the queen as far as this node knows; None if there is none or it is this node.

        Who reigned when etcd was lost does not any more: it is better to say why than to lead somebody to a dead host.
        """
        queen_record = self._reader.queen_record() if self._reader else None
        if queen_record is None or queen_record.id == self.id or (self.store().trouble and self._silence_s() > STALE_S):
            return None
        return queen_record.url

    def council(self) -> CouncilDocument:
        """Who may reign and is there, as far as this node knows."""
        return self._reader.council() if self._reader else CouncilDocument(colony=self.settings.colony)

    def ready(self) -> tuple[bool, str]:
        """Whether this node takes part: in contact with etcd and aware of a queen."""
        because = f": {self.store().message}" if self.store().trouble else ""
        if self._reader is None:
            return False, f"starting{because}"
        silence = self._silence_s()
        if silence > STALE_S:
            return False, f"no contact with etcd for {silence:.0f} s{because}"
        if self._reader.queen_record() is None:
            return False, f"no queen{because}"
        return True, ("reigning" if self.term else "following the queen") + because.replace(": ", ", but ", 1)

    def _silence_s(self) -> float:
        """For how long etcd has not been heard; 0 while it is."""
        since = self._projection.stale_since
        return 0.0 if since is None else time.monotonic() - since

    def store(self) -> StoreState:
        """How etcd is as this node sees it."""
        return self._store.state

    @property
    def term(self) -> int:
        """The term this node reigns under, 0 for a worker."""
        return self._elector.state.term if self._elector else 0

    @property
    def seen_term(self) -> int:
        """The term of the queen this node knows of, 0 when it knows none."""
        return self._queens.seen_term if self._queens else 0

    def living(self) -> bool:
        """Whether this node serves and shows its presence."""
        return self._presence.shown and self._server is not None and self._server.serving

    def standing(self) -> str:
        """One sentence on what this node does, for people who ask the service manager."""
        ready, reason = self.ready()
        if self.term:
            return f"queen of colony {self.settings.colony}, term {self.term}"
        queen_record = self._reader.queen_record() if self._reader and ready else None
        if queen_record is None:
            return f"not ready: {reason}"
        return f"council member under queen {queen_record.name}, term {self.seen_term}"

    def stalled(self) -> str:
        """Which part of this node hangs, for a watchdog; empty while it makes progress. A lost etcd is no stall."""
        deaf = self._silence_s() > DEAF_S and self._presence.shown
        return (
            (self._elector.stalled() if self._elector else "")
            or (self._presence.stalled() if self._elector else "")
            or ("its presence lives, but it hears nothing from etcd" if deaf else "")
        )

    @property
    def secret(self) -> bytes:
        """The colony secret, in the generation that signs."""
        return self.keyring.secret

    def families(self) -> Iterable[Family]:
        """Metrics of this node."""
        yield from node_families(
            term=self.term,
            colony_term=self.seen_term,
            ready=self.ready()[0],
            uptime_s=time.time() - self.started_at,
            revision=self._projection.revision,
            stale_s=self._silence_s(),
            beacons=self._beacons.metrics() if self._beacons else {},
            certificates={
                "node": not_after(self._certificate),
                "ca": not_after(self.ca_pem),
                "council": not_after(self._council_certificate),
                "council-ca": not_after(self.council_ca_pem),
            },
            state_dir=self._state_dir.path,
            channels=self.channels.states(),
            held=self.member.states() if self.member else {},
        )
        if self.member:
            yield from self.member.families()

    def facts(self) -> dict[str, Any]:
        """What only the running node knows, for diagnostics."""
        ready, reason = self.ready()
        return {
            "id": self.id,
            "process": process_id(self.incarnation),
            "standing": self.standing(),
            "ready": ready,
            "reason": reason,
            "stalled": self.stalled(),
            "election": self._sentences(),
            "queen_heard": dict(self._detector.facts()) if self._detector else {},
            "etcd": {"endpoints": list(self.etcd), "silent_s": round(self._silence_s(), 2), **self._store_facts()},
            "channels": dict(self.channels.states()),
            "channels_held": dict(self.member.states()) if self.member else {},
            "beacons": dict(self._beacons.metrics()) if self._beacons else {},
            "certificate_ends": not_after(self._certificate),
            "ca_ends": not_after(self.ca_pem),
        }

    def explain(self) -> Explanation:
        """Its part in the election: what it decided last, and why. Raises :class:`NotElecting`."""
        from aware_agent.agent.member.explain import explain

        machines = self._machines()
        if machines is None:
            raise NotElecting(f"{self.name} takes no part in the election yet: {self.ready()[1]}")
        return explain(self.name, machines, name_of=self._names(), now=self._keeper.clock(), at=time.time())

    def _machines(self) -> Machines | None:
        from aware_agent.agent.member.explain import Machines

        elector, detector = self._elector, self._detector
        if elector is None or detector is None:
            return None
        state, kept = detector.state, detector.decisions
        return Machines(elector.state, elector.decisions, state, kept, detector.reason, elector.keeping())

    def _sentences(self) -> list[str]:
        from aware_agent.agent.member.explain import sentences

        machines = self._machines()
        return sentences(machines, self._names(), self._keeper.clock()) if machines else []

    def _names(self) -> Callable[[str], str]:
        names = {node: record.name for node, record in self._reader.records().items()} if self._reader else {}
        return lambda node: names.get(node, node)

    def _store_facts(self) -> dict[str, Any]:
        state = self.store()
        return {"trouble": str(state.trouble), "sentence": state.message}

    # What others tell --------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Shut down cleanly."""
        self._stop.set()

    def restart(self) -> None:
        """Shut down cleanly, and start again in the same process."""
        self.restarting = True
        self.stop()

    def resign(self, wish: Resign) -> None:
        """Hand the reign over."""
        if self._elector:
            self._elector.post(wish)

    def depose(self) -> None:
        """A fenced write was refused: this node's term is over, whatever its lease says."""
        if self._elector:
            self._elector.post(election.LeaseLost())

    def fail_reign(self) -> None:
        """The queen's duties broke: let another node try."""
        self.resign(Resign("", "its duties failed"))

    # Life --------------------------------------------------------------------------------------------------------

    async def run(self, reigns: ReignLifecycle, server: Server, seek_key: SeekKey) -> None:
        """Live until :meth:`stop`. Everything started here is wound up when it returns or raises."""
        # First of all: somebody who asks what is wrong gets an answer while etcd gives none.
        await server.start()
        self._server = server
        server.watch(self._server_changed)
        if self.member:
            await self.member.start(self.ca_pem)
        watching = asyncio.create_task(self._store.run(), name="store-watch")
        try:
            await connect(self.client, self._projection, self.settings.store, self._why_refused)
            self._beacons = make_beacons(self.settings, self.keyring, self._announcement, seek_key)
            await self._beacons.start()
            self._reader = ColonyReader(self._projection, self.keys)
            self._elector = self._make_elector(reigns)
            self._detector = self._make_detector(self._reader)
            self._attend_seat(self._reader)
            self._projection.listen(self._on_batch)
            self._lookout.look()
            self._server_changed()  # it may answer since before there was anybody to tell
            log.info("%s is up at %s", self.name, self.settings.url, extra={"fields": {"id": self.id}})
            duties = [
                Duty("presence", self._presence.run),
                Duty("election", self._elect),
                Duty("failure detector", self._detector.run),
                Duty("renewal", self._renewal.run),
                Duty("gateway", server.run),
            ]
            if self._seat is not None:
                duties.append(Duty("etcd", self._seat.run))
            if self.operations is not None:
                duties.append(Duty("operations", self.operations.run))
            if self.loads is not None:
                duties.append(Duty("loads", self.loads.run))
            await run_duties(duties, self._stop, self._wind_up)
            if self._failure:
                raise self._failure
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._lookout.close()
            if self._beacons:
                await self._beacons.aclose()
            if self.member:
                await self.member.stop()
            await server.stop()
            await self._projection.aclose()
            await self._keeper.aclose()

    async def _elect(self) -> None:
        """Nothing is campaigned for under an identity that may be another process's."""
        assert self._elector is not None
        await self._presence.claimed.wait()
        await self._elector.run()

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
        """Clean shutdown, while the other duties still run: the reign first, then good-bye."""
        if self._elector:
            await self._elector.leave(LEAVE_S)
        await self._presence.say_goodbye()
        await self.channels.close(Why.STOPPING if self.restarting else Why.LEAVING)
        if self._reader:
            self._remember()

    def _on_batch(self, batch: ProjectionBatch) -> None:
        keys = [change.kv.key for change in batch.changes]
        if self._reader and self._reader.changed(batch.revision, keys):
            self._lookout.changed(keys, everything=batch.relisted)
        if self._detector and any(key.startswith(self._suspicions) for key in keys):
            self._detector.told()

    def _hear(self, frame: FromMember) -> None:
        """Of what a member says to others, only this is not in etcd."""
        if isinstance(frame, Loads) and self.loads is not None:
            self.loads.learn(frame)

    def _channel_moved(self, _channel: Channel) -> None:
        """A channel to the queen that breaks is the first sign that her process is gone."""
        if self._detector:
            self._detector.look()

    def _look(self) -> None:
        """Draw the consequences of what the projection shows now."""
        assert self._reader is not None
        assert self._elector is not None
        if self._queens is None:
            self._queens = QueenWatch(self._reader)
        if self._queens.look(self._elector.post):
            self._remember()
            if self._beacons:
                self._beacons.hurry()
        self._aim_channels()
        if self._detector:
            self._detector.changed()
        mine = self._reader.one(f"nodes/{self.id}", Record)
        self._renewal.post(self._trust(), len(self._reader.presence()), mine.pinned if mine else ())
        self._look_at_config()
        self._look_at_council()
        recorded = self._projection.get(self.keys.key("nodes", self.id)) is not None
        if self._recorded and not recorded:
            self._failure = Removed(f"{self.name} was removed from colony {self.settings.colony}")
            self._stop.set()
        self._recorded = recorded

    def _server_changed(self) -> None:
        """The gateway answers, ended, or does not come up: who serves nobody shall not reign if another can."""
        if self._server is None or self._elector is None or self._reader is None:
            return
        before, self._served = self._served, self._server.serving
        if before and not self._served:
            self._elector.post(election.GatewayLost("its gateway ended"))
        elif self._served and not before:
            self._elector.post(election.GatewayServes())
        if self._server.unfit and self.term:
            self.resign(Resign("", self._server.unfit))
        self._look_at_config()

    def _look_at_config(self) -> None:
        assert self._reader is not None
        stored = self._projection.get(self.keys.key("config", self.id))
        config = self._reader.one(f"config/{self.id}", Config) or Config()
        agent = config.agent
        version = stored.version if stored else 0
        changed, self._config_version = version != self._config_version, version
        set_level(self._orders.level(agent.log_level or self.settings.log.level, changed=changed))
        if self._beacons:
            self._beacons.pace = pace(self.settings, agent)
        base = self._base
        report = msgspec.structs.replace(
            base,
            candidate=agent.candidate is not False and self._may_reign(),
            serving=self._server is not None and self._server.serving,
            priority=base.priority if agent.priority is None else agent.priority,
            config_version=version,
        )
        self._presence.update(report)
        self.channels.say(report)

    def _aim_channels(self) -> None:
        """To the queen, and to whoever would follow her."""
        assert self._reader is not None
        if self.member:
            self.member.colony_changed()
        queen_record = self._reader.queen_record()
        wanted = channels_to(
            self.id, queen_record.id if queen_record else None, self._reader.line(), self.channels.members
        )
        seats = [
            _queen_seat(queen_record) if queen_record and node == queen_record.id else self._seat_of(node)
            for node in wanted
        ]
        self.channels.aim(*seats)
        self.channels.alive({node: life for node in wanted if (life := self._sign_of_life(node))})

    def _sign_of_life(self, node: str) -> str:
        """Which process of ``node`` shows itself, and the term it was elected for if it reigns."""
        assert self._reader is not None
        queen_record, report = self._reader.queen_record(), self._reader.presence().get(node)
        if queen_record is not None and queen_record.id == node:
            return f"{queen_record.incarnation} {self.seen_term}"
        return report.incarnation if report else ""

    def _seat_of(self, node: str) -> Seat | None:
        report = self._reader.presence().get(node) if self._reader else None
        return Seat(id=node, name=report.name, url=report.url, channel=report.channel) if report else None

    def _attend_seat(self, reader: ColonyReader) -> None:
        """Let etcd here see what the other members report, and the others what it believes."""
        if self._seat is None:
            return
        self._seat.follower.reports = reader.presence
        self._seat.changed = self._etcd_changed
        self._etcd_changed()

    def _etcd_changed(self) -> None:
        if self._seat is not None:
            self._base = msgspec.structs.replace(self._base, etcd=self._seat.offer)
            self._look_at_config()

    def _operations_changed(self) -> None:
        """What jobs could run here is another: say so."""
        if self.operations is not None and self._reader is not None:
            self._base = msgspec.structs.replace(self._base, jobs=self.operations.found.report)
            self._look_at_config()

    def _look_at_council(self) -> None:
        """Follow etcd's members, and take or leave this node's own seat."""
        assert self._reader is not None
        council = self._reader.one("council", CouncilRecord)
        told = self._reader.one(f"seats/{self.id}", SeatRecord)
        unreadable = told is None and self._projection.get(self.keys.key("seats", self.id)) is not None
        if self._seat is not None and not unreadable:  # a seat that cannot be read is not taken away
            self._seat.post(told, council)
        if council is None or not council.endpoints or self.settings.store.endpoints:
            return
        if council.endpoints != self.etcd:
            self.etcd = council.endpoints
            self.client.follow(council.endpoints)
            self._keep_endpoints(council.endpoints)

    def _keep_endpoints(self, endpoints: tuple[str, ...]) -> None:
        """For the next start of this node, when those it joined through may be gone."""
        try:
            kept = self._state_dir.load()
            if kept is not None and kept.membership.etcd != endpoints:
                self._state_dir.save_membership(msgspec.structs.replace(kept.membership, etcd=endpoints))
        except AwareError as error:
            log.warning("etcd's new members are not remembered: %s", error)

    def _trust(self) -> Trust:
        """What the colony believes in now."""
        try:
            self._believed = (self._reader.vital("pki", Trust) if self._reader else None) or Trust()
        except Unreadable as error:  # nothing is concluded from it: what was known counts on
            log.error("%s", error.message)
        return self._believed

    def _may_reign(self) -> bool:
        """A queen has to sign and seal with the present secret; who does not have it lets others reign."""
        fit = self._server is None or not self._server.unfit
        return fit and self.keyring.whole and self._trust().generation in self.keyring.given

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
        access = council_access(state)
        self.client.renew(etcd_credentials(state))
        self.ca_pem, self._certificate = state.ca, state.certificate
        self.council_ca_pem, self._council_certificate = access.ca, access.certificate
        if self._seat is not None:
            self._seat.follower.renewed()
        self.keyring.adopt(state.membership.generation, state.membership.keyring().given)
        if self._server:
            self._server.reload_tls()
        self.channels.renewed()
        if self.member:
            self._tasks.start(self.member.renewed(self.ca_pem))
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

    def _make_elector(self, reigns: ReignLifecycle) -> Elector:
        state = Election(me=self.id, incarnation=self.incarnation, timing=self.settings.timing)
        return Elector(
            self.client, self._keeper, self.keys, state=state, queen_record=self._queen_record, reigns=reigns
        )

    def _make_detector(self, reader: ColonyReader) -> FailureDetector:
        from aware_agent.agent.member.detector import Around, FailureDetector
        from aware_agent.colony.suspicion import Suspicion

        elector = self._elector
        assert elector is not None
        around = Around(self.channels.get, lambda: self._presence.lease, lambda: elector.waiting)
        state = Suspicion(me=self.id, timing=self.settings.timing)
        return FailureDetector(self.client, self.keys, reader, around, state, clock=self._keeper.clock)

    def _announcement(self) -> NodeAnnouncement:
        queen = self._projection.get(self.keys.queen)
        return announcement(self.settings, self.id, self.name, self._reader, queen.create_revision if queen else 0)

    def _queen_record(self) -> QueenRecord:
        return QueenRecord(
            id=self.id,
            name=self.name,
            url=self.settings.url,
            incarnation=self.incarnation,
            since=time.time(),
            channel=self.settings.channel_address,
        )

    def _make_member(self, files: tuple[Path, Path]) -> MemberChannels:
        from aware_agent.agent.member.channels import MemberChannels

        return MemberChannels(self.id, self.settings.channel, files, lambda: self._reader, self._orders)

    def _make_loads(self, channels: MemberChannels) -> LoadBook:
        from aware_agent.agent.member.loads import LoadBook

        book = LoadBook(self.id, channels, self._meter, lambda: self.term, lambda: self.seen_term)
        channels.gone = book.closed
        return book

    def _make_operations(self) -> MemberOperations:
        from aware_agent.agent.member.operations import MemberOperations

        return MemberOperations(self.settings.jobs, self._operations_changed)


def _queen_seat(queen_record: QueenRecord) -> Seat:
    return Seat(id=queen_record.id, name=queen_record.name, url=queen_record.url, channel=queen_record.channel)


def _one_key(key: bytes) -> tuple[bytes, bytes]:
    return key, key + b"\0"
