"""One running worker: it has no seat in the council, no secret, and no way to etcd.

All it needs comes over its channels to queen and heir: its configuration, what the colony believes in, who reigns. All
it has to say goes the same way. While no channel is open it tries all members it ever heard of, two at a time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from aware_agent.agent.beacons import SeekKey, announce_keys, make_beacons, pace
from aware_agent.agent.certificate_fields import not_after
from aware_agent.agent.channels import NodeChannels
from aware_agent.agent.council_file import load_council, save_council, ways_in
from aware_agent.agent.duties import Duty, run_duties
from aware_agent.agent.load_meter import LoadMeter
from aware_agent.agent.logs import set_level
from aware_agent.agent.metrics import node_families
from aware_agent.agent.orders import Orders
from aware_agent.agent.parts import RENEW_WAYS, IdentityInUse, Removed, Server, first_report
from aware_agent.agent.renewal import Renewal, renew_once, trust_report
from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.channel.client import Channel
from aware_agent.channel.frames import Announcement, FromMember, Goodbye, NewConfig, NewTrust, Seat, Why
from aware_agent.colony.connection import Phase
from aware_agent.colony.council_document import CouncilDocument
from aware_agent.colony.errors import AwareError
from aware_agent.colony.ids import ulid
from aware_agent.colony.names import council_host
from aware_agent.colony.node import Config, process_id
from aware_agent.colony.rotation import Trust
from aware_agent.discovery.remembered import load_remembered, save_remembered
from aware_agent.discovery.service import BeaconService, NodeAnnouncement
from aware_agent.security.refusals import NotAMember
from aware_agent.store.health import StoreState
from aware_agent.telemetry import Family

log = logging.getLogger(__name__)

LONELY_TURNS = 8  # so many turns in vain, and a gateway is asked
SEEK_S = 3.0  # how long two members may take to answer before the next two are tried
MAX_WAYS = 20  # members kept to try, those heard of last first
TWIN_S = 45.0  # refused for so long as a second one, and the first is alive: a dead one falls silent within 30
ASK_S = 30.0  # between two questions whether this node was really removed


class Worker:
    """One worker of a colony. :meth:`run` returns when it was asked to stop, or raises AwareError."""

    def __init__(self, settings: Settings, state_dir: StateDir, state: NodeState, origin: str) -> None:
        now = time.time()
        self.settings = settings
        self.me = state.identity.id
        self.name = state.identity.name
        self.ca_pem = state.ca
        self.keyring = state.membership.keyring()
        self.started_at = now
        self.incarnation = ulid(now, os.urandom(10))
        self.restarting = False
        self._certificate = state.certificate
        self._state_dir = state_dir
        self._report = first_report(settings, state, self.keyring, self.incarnation, origin)
        self._config = NewConfig(version=0, config=Config())
        self._council = Announcement(term=0, queen=None, heir=None)
        self._ways = ways_in(load_council(state_dir.council_path), state.membership.channels)
        self._trust = Trust()
        self._renewal = Renewal(state, self._renew, self._adopt, address=settings.address)
        self._orders = Orders(self)
        self.channels = NodeChannels(
            council_host(settings.colony),
            state_dir.certificate_path,
            state_dir.key_path,
            ca=lambda: self.ca_pem,
            report=self._report,
            orders=self._orders,
            meter=LoadMeter(state_dir.path),
            news=self._hear,
            moved=self._look_at,
        )
        self._beacons: BeaconService | None = None
        self._server: Server | None = None
        self._stop = asyncio.Event()
        self._twin_since: float | None = None  # monotonic: a member says that this node is here already
        self._doubt = asyncio.Event()  # a member says that this node was removed
        self._failure: AwareError | None = None

    # What others ask ---------------------------------------------------------------------------------------------

    @property
    def seen_term(self) -> int:
        """The term of the last queen this node heard of."""
        return self._council.term

    def queen_url(self) -> str | None:
        """Base URL of the queen; None while this node knows of none, or has no word from the council."""
        queen = self._council.queen
        return queen.url if queen and self.channels.states()["open"] else None

    def council(self) -> CouncilDocument:
        """Who may reign and is there, as a member said last."""
        council = self._council
        return CouncilDocument(
            colony=self.settings.colony,
            term=council.term,
            queen=council.queen.url if council.queen else None,
            members=tuple(sorted(seat.url for seat in council.members)),
        )

    def ready(self) -> tuple[bool, str]:
        """Whether the queen hears this node."""
        queen = self._council.queen
        if queen is None:
            return False, "no queen" if self._council.term else "no word from the council yet"
        if not self.channels.reaches(queen.id):
            return False, f"no channel to queen {queen.name}"
        return True, "following the queen"

    def store(self) -> StoreState:
        """A worker has nothing to do with etcd."""
        return StoreState()

    def _is_heard(self) -> bool:
        """Whether the queen has a channel to this node. Nobody needs its beacons then, and each would reach all."""
        return self.ready()[0]

    def living(self) -> bool:
        """Whether somebody of the council hears this node."""
        return bool(self.channels.states()["open"]) and self._server is not None and self._server.serving

    def standing(self) -> str:
        """One sentence on what this node does."""
        ready, reason = self.ready()
        queen = self._council.queen
        return f"worker of queen {queen.name}, term {self._council.term}" if ready and queen else f"not ready: {reason}"

    def stalled(self) -> str:
        """Nothing here can hang while the loop turns: channels watch themselves."""
        return ""

    def families(self) -> Iterable[Family]:
        """Metrics of this node."""
        return node_families(
            term=0,
            colony_term=self._council.term,
            ready=self.ready()[0],
            uptime_s=time.time() - self.started_at,
            revision=None,
            stale_s=None,
            beacons=self._beacons.metrics() if self._beacons else {},
            certificates={"node": not_after(self._certificate), "ca": not_after(self.ca_pem)},
            state_dir=self._state_dir.path,
            channels=self.channels.states(),
            held={},
        )

    def facts(self) -> dict[str, Any]:
        """What only the running node knows, for diagnostics."""
        ready, reason = self.ready()
        return {
            "id": self.me,
            "process": process_id(self.incarnation),
            "standing": self.standing(),
            "ready": ready,
            "reason": reason,
            "channels": dict(self.channels.states()),
            "council": msgspec.to_builtins(self._council),
            "beacons": dict(self._beacons.metrics()) if self._beacons else {},
            "certificate_ends": not_after(self._certificate),
            "ca_ends": not_after(self.ca_pem),
        }

    def stop(self) -> None:
        """Shut down cleanly."""
        self._stop.set()

    def restart(self) -> None:
        """Shut down cleanly, and start again in the same process."""
        self.restarting = True
        self.stop()

    # Life --------------------------------------------------------------------------------------------------------

    async def run(self, server: Server, seek_key: SeekKey) -> None:
        """Live until :meth:`stop`. Everything started here is wound up when it returns or raises."""
        await server.start()
        self._server = server
        try:
            self._beacons = make_beacons(
                self.settings, self.keyring, self._announcement, seek_key, quiet=self._is_heard
            )
            await self._beacons.start()
            log.info("%s is up at %s", self.name, self.settings.url, extra={"fields": {"id": self.me}})
            duties = [
                Duty("council", self._seek),
                Duty("renewal", self._renewal.run),
                Duty("removal", self._ask_whether_removed),
                Duty("gateway", server.run),
            ]
            await run_duties(duties, self._stop, self._wind_up)
            if self._failure:
                raise self._failure
        finally:
            await self.channels.close(Why.STOPPING)
            if self._beacons:
                await self._beacons.aclose()
            await server.stop()

    async def _wind_up(self) -> None:
        await self.channels.close(Why.STOPPING if self.restarting or self._failure else Why.LEAVING)

    async def _seek(self) -> None:
        """While nobody of the council hears this node: try those it knows, two at a time."""
        turn, lonely = 0, 0
        while True:
            states = self.channels.states()
            lonely = 0 if states["open"] or states["silent"] else lonely + 1
            if lonely and lonely % LONELY_TURNS == 0:
                self._doubt.set()  # the answer to a renewal names the council of today
            if lonely:
                known = self._ways
                pair = [known[(turn + step) % len(known)] for step in range(min(2, len(known)))] if known else []
                self.channels.aim(*pair)
                turn += len(pair)
            await asyncio.sleep(SEEK_S * (0.75 + random.random() / 2))  # noqa: S311 - spreads load, keeps no secret

    async def _ask_whether_removed(self) -> None:
        """A member said that this node is not in the colony, or none of those it knows answers: the queen's gateway
        says what is true. A member may lag behind, so its word alone ends nothing."""
        while True:
            await self._doubt.wait()
            try:
                self._adopt(await self._renew())
            except AwareError as error:
                log.info("no gateway could say how this node stands: %s", error.message)
            await asyncio.sleep(ASK_S)
            self._doubt.clear()

    # What members say --------------------------------------------------------------------------------------------

    def _hear(self, frame: FromMember) -> None:
        match frame:
            case NewConfig():
                self._configure(frame)
            case NewTrust(trust):
                self._trust = trust
                self._renewal.post(trust, self._council.size)
            case Announcement():
                self._follow(frame)
            case Goodbye(why=Why.TWIN):
                self._be_second()
            case _:
                """Its record: nothing in it changes what a worker does."""

    def _be_second(self) -> None:
        """What this process was before its start may still seem alive; what does so for long, is.

        Whom the queen hears is the first, whatever the heir says: the other may have come to a new heir before it.
        """
        now = time.monotonic()
        if self.ready()[0]:
            return
        if self._twin_since is None:
            self._twin_since = now
        elif now - self._twin_since > TWIN_S:
            self._failure = IdentityInUse(self.name, "")
            self._stop.set()

    def _follow(self, council: Announcement) -> None:
        """Two members may see a change one after the other; what is of an earlier term is old."""
        if council.term < self._council.term:
            return
        before, self._council = self._council, council
        if council.queen is not None:
            # While nobody reigns the channels stay as they are: the heir's is among them.
            self.channels.aim(council.queen, council.heir)
            if before.queen is None or before.queen.id != council.queen.id:
                log.info("%s reigns, term %d", council.queen.name, council.term)
                if self._beacons:
                    self._beacons.hurry()
        if set(council.members) != set(before.members):
            self._remember(council.members)

    def _configure(self, news: NewConfig) -> None:
        changed, self._config = news.version != self._config.version, news
        agent = news.config.agent
        set_level(self._orders.level(agent.log_level or self.settings.log.level, changed=changed))
        if self._beacons:
            self._beacons.pace = pace(self.settings, agent)
        self._say()

    def _say(self) -> None:
        agent = self._config.config.agent
        priority = self._report.priority if agent.priority is None else agent.priority
        self.channels.say(msgspec.structs.replace(self._report, priority=priority, config_version=self._config.version))

    def _look_at(self, channel: Channel) -> None:
        if channel.state.phase is Phase.REFUSED:
            self._doubt.set()
        elif self.ready()[0]:
            self._twin_since = None

    def _remember(self, members: tuple[Seat, ...]) -> None:
        self._ways = ways_in(members, (seat.channel for seat in self._ways))[:MAX_WAYS]
        save_council(self._state_dir.council_path, members)
        try:
            save_remembered(self._state_dir.peers_path, [seat.url for seat in members])
        except AwareError as error:
            log.warning("members not remembered: %s", error)

    # Certificate -------------------------------------------------------------------------------------------------

    async def _renew(self) -> NodeState:
        queen = self._council.queen
        known = [*([queen.url] if queen else []), *self.settings.discovery.seeds]
        known += load_remembered(self._state_dir.peers_path)
        try:
            return await renew_once(self._state_dir, self.settings.address, list(dict.fromkeys(known))[:RENEW_WAYS])
        except NotAMember as error:
            self._failure = Removed(f"{self.name} was removed from colony {self.settings.colony}")
            self._stop.set()
            raise AwareError(error.message, hint=error.hint) from error

    def _adopt(self, state: NodeState) -> None:
        """Use what was renewed: on channels, at the gateway, in beacons, in our report."""
        if state.membership.whole:
            log.info("this node may have a seat in the council now: it starts again as one that may")
            self.restart()
            return
        if self._server:
            self._server.reload_tls()
        self.ca_pem, self._certificate = state.ca, state.certificate
        self.keyring.adopt(state.membership.generation, state.membership.keyring().given)
        self.channels.renewed()
        if self._beacons:
            self._beacons.keys = announce_keys(self.keyring)
        self._report = msgspec.structs.replace(self._report, trust=trust_report(self.keyring, state, self.incarnation))
        self._ways = ways_in(self._ways, state.membership.channels)[:MAX_WAYS]
        self._say()

    # Parts -------------------------------------------------------------------------------------------------------

    def _announcement(self) -> NodeAnnouncement:
        queen = self._council.queen
        return NodeAnnouncement(
            id=self.me,
            name=self.name,
            address=self.settings.address,
            url=self.settings.url,
            queen_id=queen.id if queen else "",
            queen_url=queen.url if queen else "",
            term=self._council.term if queen else 0,
            size=self._council.size,
        )
