"""One run: a colony, a seed, faults, calm, and the verdict."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

import msgspec

from aware_agent.colony.timing import Timing
from aware_agent.simulator.checker import Broken
from aware_agent.simulator.faults import Fault, Trouble, draw
from aware_agent.simulator.world import World

WARM_UP_S = 10.0
COUNCIL_S = 120.0  # changes of members go one by one, with a rest after each


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate. ``drift``: clocks run wrong by up to this share."""

    nodes: int = 5
    seconds: float = 600.0
    mean_gap_s: float = 6.0  # between faults
    council: int = 3  # seats; 0: etcd is somebody else's and loses no member
    drift: float = 0.01
    timing: Timing = Timing()
    faults: tuple[Fault, ...] = ()  # these, instead of faults drawn from the seed


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``verdict`` is "ok" or the broken promise."""

    seed: int
    nodes: int
    seconds: float
    terms: int
    campaigns: int
    writes: int
    refused: int
    longest_vacancy: float  # seconds
    longest_clean_gap: float  # seconds, of hand-overs nothing disturbed
    largest_rush: int  # campaigns for one vacancy
    steps: int
    first_write: float | None  # seconds from the start until the first write was accepted
    outage: float  # seconds in which no write was accepted after that
    longest_outage: float
    faults: tuple[Fault, ...]  # what was to happen
    verdict: str
    trace: tuple[str, ...]


def settle_bound(timing: Timing) -> float:
    """Seconds after which a colony without faults has its queen and knows her.

    The old lease may just have been renewed by a new etcd leader, the dead may still stand in line, and the first
    campaign may have been sent before the end of the last fault.
    """
    lease = timing.queen_ttl_s + 1.0 + 0.5
    line = timing.presence_ttl_s + 1.0 + 0.5
    return lease + line + timing.abstain_s + 4 * timing.retry_s


def simulate(seed: int, settings: Settings, only: Sequence[int] | None = None) -> Report:
    """Run it. Never raises for a broken promise: the verdict says so.

    ``only``: which of the faults that the seed draws happen, by their number; the same seed and numbers are the same
    run. Faults that ``settings`` name happen instead of drawn ones.
    """
    random = Random(seed)  # noqa: S311 - a seed that can be replayed is the point
    world = build(settings, random)
    drawn = settings.faults or draw(random, WARM_UP_S, calm_at(settings), settings.mean_gap_s)
    faults = [fault for number, fault in enumerate(drawn) if only is None or number in only]
    verdict = "ok"
    try:
        with _quiet():
            _play(world, settings, faults)
    except Broken as broken:
        verdict = broken.message
    except Exception as error:  # of the drivers: as good a verdict as a broken promise, and replayed like one
        verdict = f"at {world.queue.now:.3f} s: the drivers broke: {type(error).__name__}: {error}"
    finally:
        world.close()
    world.checker.ends()
    checker = world.checker
    return Report(
        seed=seed,
        nodes=settings.nodes,
        seconds=world.queue.now,
        terms=checker.terms,
        campaigns=checker.campaigns,
        writes=checker.writes,
        refused=checker.refused,
        longest_vacancy=checker.longest_vacancy,
        longest_clean_gap=checker.longest_clean_gap,
        largest_rush=checker.largest_rush,
        steps=world.queue.steps,
        first_write=checker.first_write,
        outage=checker.outage_s,
        longest_outage=checker.longest_outage_s,
        faults=tuple(drawn),
        verdict=verdict,
        trace=tuple(f"{at:9.3f}  {who:5}  {what}" for at, who, what in world.trace),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """What the drivers would log is in the trace, where it matters."""
    log = logging.getLogger("aware_agent")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def build(settings: Settings, random: Random) -> World:
    """A colony of mixed hosts: clocks that drift, priorities, a few that are no candidates."""
    world = World(settings.nodes, random, settings.timing, council=min(settings.council, settings.nodes))
    for number, host in enumerate(world.hosts.values()):
        host.rate = 1 + random.uniform(-settings.drift, settings.drift)
        host.skew_s = random.uniform(-0.5, 0.5)
        host.priority = random.choice([100, 100, 100, 50, 200])
        host.candidate = number < 3 or random.random() > 0.1
    return world


def calm_at(settings: Settings) -> float:
    """When the faults of a run end."""
    return max(WARM_UP_S, settings.seconds - 2 * settle_bound(settings.timing))


def _play(world: World, settings: Settings, faults: list[Fault]) -> None:
    for host in world.hosts.values():
        world.queue.at(world.random.uniform(0, WARM_UP_S / 2), world.start, host)
    bound = settle_bound(settings.timing)
    trouble = Trouble(world)
    trouble.plan(faults)
    world.queue.run(calm_at(settings))
    trouble.heal()
    world.post("", "(all faults end)")
    world.run(bound)
    _demand(world.checker.disagreement(), f"{bound:.1f} s after the last fault")
    _demand(world.checker.leftovers(), f"{bound:.1f} s after the last fault")
    terms = world.checker.terms
    world.run(max(bound, settings.seconds - world.queue.now))
    _demand(world.checker.disagreement(), "at the end")
    _demand("" if world.checker.terms == terms else "the queen changed", "though nothing was wrong")
    _demand(_without_council(world), f"{COUNCIL_S:g} s later")
    lost = world.checker.lost_writes()
    _demand(f"{lost} acknowledged writes are lost" if lost else "", "at the end")


def _without_council(world: World) -> str:
    """What is still not as wanted of council and castes when they had their time."""
    trouble, end = "", world.queue.now + COUNCIL_S
    while world.council is not None and (trouble := world.checker.council.trouble(world.council)):
        if world.queue.now >= end:
            return trouble
        world.run(2.0)
    return ""


def _demand(trouble: str, when: str) -> None:
    if trouble:
        raise Broken(f"{trouble} {when}")
