"""How checks are run: all at once, each bounded in time, and one that breaks is a finding as well."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.finding import Finding, Level, Said, skipped

LIMIT_S = 10.0
S = TypeVar("S")
T = TypeVar("T")
K = TypeVar("K")


class Skip(Exception):
    """Raised by a check that cannot look: the reason, and what would let it."""

    def __init__(self, reason: str, to_do: str = "") -> None:
        super().__init__(reason)
        self.said = skipped(reason, to_do)


class Check(NamedTuple, Generic[S]):
    """``probe`` looks at a sight and judges it; what it does not say within ``limit_s`` is not waited for."""

    name: str
    probe: Callable[[S], Said | list[Said]]
    limit_s: float = LIMIT_S


class Once(Generic[T]):
    """A value that several checks need and one of them gets; so is the error when that fails."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._outcome: list[T] = []
        self._error: BaseException | None = None

    def __call__(self) -> T:
        """The value. Raises what making it raised."""
        with self._lock:
            if not self._outcome and self._error is None:
                try:
                    self._outcome.append(self._make())
                except Exception as error:
                    self._error = error
            if self._error is not None:
                raise self._error
            return self._outcome[0]


def run_checks(scope: str, sight: S, checks: Sequence[Check[S]]) -> list[Finding]:
    """What every check says, in the order of the table; a check that hangs does not hold up the others."""
    limits = {check.name: check.limit_s for check in checks}
    work = {check.name: (lambda probe=check.probe: _said(probe, sight)) for check in checks}
    told = bounded(work, limits)
    found: list[Finding] = []
    for check in checks:
        late = Said(
            Level.WARN,
            f"it took longer than {check.limit_s:g} s",
            "run it again; a network or disk that hangs looks so",
        )
        said = told.get(check.name, late)
        found += [
            Finding(scope=scope, check=check.name, level=one.level, message=one.message, to_do=one.to_do)
            for one in (said if isinstance(said, list) else [said])
        ]
    return found


def _said(probe: Callable[[S], Said | list[Said]], sight: S) -> Said | list[Said]:
    try:
        return probe(sight)
    except Skip as skip:
        return skip.said
    except AwareError as error:
        return Said(Level.ERROR, error.message, error.hint)
    except PermissionError as error:
        return skipped(
            f"{error.filename or 'this'} may not be read by this user", "run it as root or as the agent's user"
        )
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        return Said(Level.ERROR, f"{about}{error.strerror or type(error).__name__}", "correct that, then run it again")
    except Exception as error:
        told = one_line(f"{type(error).__name__}: {error}", 200)
        return Said(Level.ERROR, f"the check itself failed ({told})", "a bug: please report it")


def bounded(work: Mapping[K, Callable[[], T]], limits: Mapping[K, float]) -> dict[K, T]:
    """What each piece of work returned; those that took longer than their limit, in seconds, are missing.

    Threads of their own, which the end of the process does not wait for: looking up a name cannot be interrupted.
    What is called must not raise.
    """
    results: queue.SimpleQueue[tuple[K, T]] = queue.SimpleQueue()
    for key, call in work.items():
        threading.Thread(target=_put, args=(results, key, call), daemon=True, name=f"check {key}").start()
    began, found, pending = time.monotonic(), dict[K, T](), set(work)
    while pending and (left := began + max(limits[key] for key in pending) - time.monotonic()) > 0:
        try:
            key, value = results.get(timeout=left)
        except queue.Empty:
            break
        pending.discard(key)
        if time.monotonic() - began <= limits[key]:
            found[key] = value
    return found


def _put(results: queue.SimpleQueue[tuple[K, T]], key: K, call: Callable[[], T]) -> None:
    results.put((key, call()))


def at_once(items: Iterable[K], work: Callable[[K], T], *, limit_s: float, width: int = 16) -> dict[K, T]:
    """``work`` of many items by ``width`` threads; what is not done within ``limit_s`` in all is missing.

    ``work`` must not raise.
    """
    waiting: queue.SimpleQueue[K] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[K, T]] = queue.SimpleQueue()
    number = 0
    for item in items:
        waiting.put(item)
        number += 1
    end = time.monotonic() + limit_s

    def labour() -> None:
        while time.monotonic() < end:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            results.put((item, work(item)))

    for _ in range(min(width, number)):
        threading.Thread(target=labour, daemon=True).start()
    found: dict[K, T] = {}
    while len(found) < number:
        try:
            item, value = results.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[item] = value
    return found
