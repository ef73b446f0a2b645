"""One life of an agent: performs the effects of ``election.decide`` against the simulated etcd, as the daemon does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from aware_agent.colony.election import (
    Abdicate,
    Campaign,
    Crown,
    Crowned,
    Election,
    Event,
    Evict,
    HandOver,
    Handover,
    Line,
    Phase,
    Quit,
    Reign,
    Resign,
    Tick,
    Vacant,
    WakeAt,
    decide,
)
from aware_agent.colony.simulator.host import Host
from aware_agent.colony.simulator.news import PRESENCE, QUEEN, News
from aware_agent.colony.simulator.throne import Throne

if TYPE_CHECKING:
    from aware_agent.colony.simulator.world import World

WRITE_EVERY_S = 0.5
LIST_AGAIN_S = 0.5
BATCHED = 0.2  # share of deliveries that hide what was between
LATENESS_S = (0.0001, 0.01)  # how late an event loop rings its timers


class Agent:
    """A running agent. Whatever reaches it comes through :meth:`receive`, one thing at a time."""

    def __init__(self, world: World, host: Host) -> None:
        self.world = world
        self.host = host
        self.alive = True
        self.frozen = False
        self.watching = False
        self.delivery_due = False
        self.relist = False
        self.state = Election(me=host.id, incarnation=f"{host.id}.{host.lives}", timing=world.timing)
        self.duty = 0  # the term whose duties run
        self.throne = Throne(self)
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._seen = 0  # how much of the news
        self._known_term = 0  # create revision of the queen key in my copy of the store, 0 if absent
        self._alarm = 0
        self._presence = 0
        self._leaving = False
        self._writes = 0

    # Life --------------------------------------------------------------------------------------------------------

    @property
    def well(self) -> bool:
        """True while it runs unhindered."""
        return self.watching and self.alive and not self.frozen and not self._leaving

    def now(self) -> float:
        """Its own monotonic clock."""
        return self.host.local(self.world.queue.now)

    def receive(self, action: Callable[..., None], *args: Any) -> None:
        """Do it now, after the pause, or never."""
        if self.frozen:
            self._inbox.append((action, args))
        elif self.alive:
            action(*args)

    def after(self, delay: float, action: Callable[..., None], *args: Any) -> None:
        """Do it in ``delay`` of its own seconds."""
        self.world.queue.after(self.host.true(delay), self.receive, action, *args)

    def call(self, operation: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Ask etcd."""
        self.world.call(self, operation, then)

    def start(self) -> None:
        """Read the store, then watch it and say that I am here."""
        self.call(lambda: (self.world.latest(), len(self.world.news)), self._listed)

    def _listed(self, result: tuple[News, int] | None) -> None:
        if result is None:
            self.after(LIST_AGAIN_S, self.start)
            return
        news, self._seen = result
        self.watching = True
        self._look(news, first=True)
        self._announce()
        self.world.queue.after(0, self.world.deliver_later, self)

    def crash(self) -> None:
        """Gone without a word."""
        self.alive = False
        self._inbox.clear()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: a queen acts once more before she looks at the clock, then all that has piled up comes in."""
        self.frozen = False
        if self.duty:
            self._write()
        waiting, self._inbox = self._inbox, []
        for action, args in waiting:
            self.receive(action, *args)

    def quit(self) -> None:
        """SIGTERM."""
        self._leaving = True
        self.feed(Quit())
        if self._presence:
            self.call(lambda: self._put_presence(self._presence), lambda _: None)
        self.maybe_stop()

    def maybe_stop(self) -> None:
        """Stop once nothing of the election is under way."""
        if self.state.phase is Phase.GONE and not self.throne.busy:
            self.alive = False

    # Presence ----------------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        self.call(self._new_presence, self._announced)

    def _new_presence(self) -> int:
        lease = self.world.etcd.grant(self.world.timing.presence_ttl_s)
        self._put_presence(lease)
        return lease

    def _put_presence(self, lease: int) -> None:
        if self.world.etcd.renew(lease):
            self.world.etcd.put(PRESENCE + self.host.id, self.host.report(self._leaving), lease)

    def _announced(self, lease: int | None) -> None:
        if self._leaving:
            return
        if lease is None:
            self.after(LIST_AGAIN_S, self._announce)
            return
        self._presence = lease
        self._keep_presence()

    def _keep_presence(self) -> None:
        """One event per keepalive, not three: nothing that is checked depends on its exact time."""
        reachable = not self.host.cut and not self.world.etcd.down
        if reachable and not self.world.etcd.renew(self._presence):
            self._announce()
        else:
            self.after(self.world.timing.presence_ttl_s / 3, self._keep_presence)

    # Watch -------------------------------------------------------------------------------------------------------

    def read_news(self) -> None:
        """Catch up: revision by revision, or at one go as after a compaction or when etcd sends a large batch."""
        if self.relist or self.world.random.random() < BATCHED:
            self.relist = False
            self._seen = len(self.world.news)
            self._look(self.world.latest())
        while self.alive and self._seen < len(self.world.news):
            self._seen += 1
            self._look(self.world.news[self._seen - 1])

    def _look(self, news: News, first: bool = False) -> None:
        """Draw the consequences of what the copy of the store shows now; what it never showed is never told."""
        if news.line is not None:
            self.feed(Line(news.line))
        if not first and (not news.throne or news.term == self._known_term):
            return
        ended, self._known_term = self._known_term, news.term
        if news.crown:
            self.feed(Crowned(news.crown, news.term))
        else:
            fits = news.handover is not None and news.handover.term == ended
            self.feed(Vacant(news.handover if fits else None))

    # Election ----------------------------------------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        """Decide and perform."""
        now = self.now()
        before, decision = self.state, decide(self.state, event, now)
        self.state = decision.state
        if decision.sentence:
            self.world.tell(self.host.id, decision.sentence)
        self.world.checker.decided(self, before, decision, now)
        for effect in decision.effects:
            self._PERFORM[type(effect)](self, effect)

    def resign(self, to: str = "") -> None:
        """An operator asks her to step down."""
        self.feed(Resign(to))

    def _campaign(self, _: Campaign) -> None:
        self.throne.campaign(self._crown())

    def _crown(self) -> Crown:
        return Crown(id=self.host.id, name=self.host.id, url="", incarnation=self.state.incarnation, since=0.0)

    def _reign(self, effect: Reign) -> None:
        self.duty = effect.term
        self.world.checker.reigns(self, effect.term)
        self._work(effect.term)

    def _abdicate(self, _: Abdicate) -> None:
        self.duty = 0
        self.throne.let_go()

    def _hand_over(self, effect: HandOver) -> None:
        self.throne.hand_over(Handover(term=effect.term, to=effect.to, reason=effect.reason))

    def _evict(self, effect: Evict) -> None:
        self.call(lambda: self.world.etcd.txn(QUEEN, effect.term, {}, (QUEEN,)), lambda _: None)

    def _wake_at(self, effect: WakeAt) -> None:
        self._alarm += 1
        late = self.world.random.uniform(*LATENESS_S)
        self.world.queue.at(self.host.true(effect.when) + late, self.receive, self._ring, self._alarm)

    def _ring(self, alarm: int) -> None:
        if alarm == self._alarm:  # only the newest counts
            self.feed(Tick())

    _PERFORM: ClassVar[dict[type, Callable[[Agent, Any], None]]] = {
        Campaign: _campaign,
        Reign: _reign,
        Abdicate: _abdicate,
        HandOver: _hand_over,
        Evict: _evict,
        WakeAt: _wake_at,
    }

    # Duties ------------------------------------------------------------------------------------------------------

    def _work(self, term: int) -> None:
        if self.duty == term:
            self._write()
            self.after(WRITE_EVERY_S, self._work, term)

    def _write(self) -> None:
        """One fenced write."""
        term, self._writes = self.duty, self._writes + 1
        key = f"log/{self.state.incarnation}/{self._writes}"
        self.call(lambda: self._fenced(key, term), lambda done: self.world.checker.answered(key, done))

    def _fenced(self, key: str, term: int) -> bool:
        done = self.world.etcd.txn(QUEEN, term, {key: (term, 0)}) > 0
        self.world.checker.wrote(self, term, done)
        return done
