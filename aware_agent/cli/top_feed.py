"""What ``aware top`` knows: asked for again and again, and told by events in between, over any change of queen."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from aware_agent.cli.client import Gateway
from aware_agent.cli.errors import HistoryGone, Refused
from aware_agent.cli.events import follow_events, history
from aware_agent.cli.top_view import Change, Cluster, Council, Event, Node, Queen, Sight
from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.colony.errors import AwareError

FIELDS = "name,role,status,status_since,caste,cordoned,drained,address"
KEPT = 200  # events
_CHANGES = 1000
_BACK = 1000  # revisions of the past that are looked at for events
_SHARE = 9.0  # of ten parts of the time, so many are not spent on answers: a colony of ten thousand has long lists
_PATIENCE_S, _AGAIN_S, _BREATH_S = 5.0, 1.0, 0.1
_VERSION = "is it of another release? aware --version, and version in aware status --json"
_URGENT = ("queen.", "node.", "council.", "spec.", "caste.")  # events after which it is looked at once


class Feed:
    """Two threads that end with the process. ``make`` gives each a client of its own."""

    def __init__(self, make: Callable[[], Gateway], interval_s: float) -> None:
        self._make, self._interval_s = make, interval_s
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._seen: Sight  # from start on
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._changes: deque[Change] = deque(maxlen=_CHANGES)
        self._named = (0.0, "", 0)  # when an answer last named a queen (monotonic), who she is, and her term
        self._deaf = ""  # why there are no events

    def start(self) -> None:
        """Look once, and go on looking. Raises what that first look does: a colony that is not there, no login."""
        client = self._make()
        self._seen = self._look(client)
        self._notice(self._seen.cluster["queen"])
        for work in (lambda: self._poll(client), self._listen):
            threading.Thread(target=work, daemon=True).start()

    def sight(self) -> Sight:
        """What is known now."""
        with self._lock:
            seen = self._seen
            trouble = seen.trouble or self._deaf
            return seen._replace(events=tuple(self._events), changes=tuple(self._changes), trouble=trouble)

    def _poll(self, client: Gateway) -> None:
        client.deadline_s = _PATIENCE_S
        while True:
            began = time.monotonic()
            try:
                seen = self._look(client)
                with self._lock:
                    self._notice(seen.cluster["queen"])
                    self._seen = seen
            except Exception as error:  # whatever it is, the screen says it, and the next answer may be better
                with self._lock:
                    self._seen = self._seen._replace(trouble=_told(error))
            cost = time.monotonic() - began
            rest = max(self._interval_s, _SHARE * cost)
            self._wake.wait(rest if self._seen.cluster["queen"] else _BREATH_S)
            self._wake.clear()
            time.sleep(max(cost, _BREATH_S))  # of many events at once the first one is enough

    def _look(self, client: Gateway) -> Sight:
        """What the colony says now. Raises the error of an answer, or Refused when it is of another kind."""
        cluster = client.get("/v1/cluster").data
        nodes = client.get("/v1/nodes", fields=FIELDS).data
        council = client.get("/v1/council/members").data
        try:
            return Sight(
                cluster=from_plain(cluster, Cluster),
                nodes=from_plain(nodes["nodes"], list[Node]),
                council=from_plain(council, Council),
                at=time.time(),
                fresh_s=3 * max(1.0, self._interval_s),
            )
        except (*UNDECODABLE, LookupError, TypeError) as error:
            raise Refused("the gateway answers something else than this command knows", hint=_VERSION) from error

    def _notice(self, queen: Queen | None) -> None:
        """Whether she is another one than before, or the same in another term."""
        at, name, term = self._named
        if queen is None:
            return
        if term and queen["term"] != term:
            within = time.monotonic() - at
            self._changes.append(Change(time.time(), name, queen["name"], queen["term"], within))
        self._named = (time.monotonic(), queen["name"], queen["term"])

    def _listen(self) -> None:
        client, since = self._make(), max(0, self._seen.cluster["revision"] - _BACK)
        while True:
            try:
                since, found = history(client, since, {})
                self._take(found)
                for event in follow_events(client, since, {}, tell=self._lost):
                    self._take([event])
                    since = max(since, int(event["revision"]) - 1)  # one revision may have several
            except HistoryGone:
                since = 0
            except Exception as error:
                self._deaf = f"no events: {_told(error)}"
                time.sleep(_AGAIN_S)

    def _lost(self, _: str) -> None:
        self._wake.set()  # what breaks a stream may be the end of a queen

    def _take(self, found: list[dict[str, Any]]) -> None:
        events = [_event(one) for one in found]
        with self._lock:
            known = {event["id"] for event in self._events}
            self._events.extend(event for event in events if event["id"] not in known)
        self._deaf = ""
        if any(event["type"].startswith(_URGENT) for event in events):
            self._wake.set()


def _event(found: dict[str, Any]) -> Event:
    """One event; of one that cannot be read, that there was one."""
    try:
        return from_plain(found, Event)
    except UNDECODABLE:
        revision = found.get("revision")
        said = f"an event that cannot be read, at revision {revision}"
        return Event(id=said, revision=0, time=time.time(), type="?", severity="warning", message=said)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, AwareError) else f"{type(error).__name__}: {error}"
