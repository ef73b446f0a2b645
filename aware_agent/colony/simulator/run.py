"""One run: a colony, a seed, faults, calm, and the verdict."""

from __future__ import annotations

from random import Random

import msgspec

from aware_agent.colony.simulator.checker import Broken
from aware_agent.colony.simulator.faults import Trouble, draw
from aware_agent.colony.simulator.world import World
from aware_agent.colony.timing import Timing

WARM_UP_S = 10.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate. ``drift``: clocks run wrong by up to this share."""

    nodes: int = 5
    seconds: float = 600.0
    mean_gap_s: float = 6.0  # between faults
    drift: float = 0.01
    timing: Timing = Timing()


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


def simulate(seed: int, settings: Settings) -> Report:
    """Run it. Never raises for a broken promise: the verdict says so."""
    random = Random(seed)  # noqa: S311 - a seed that can be replayed is the point
    world = build(settings, random)
    verdict = "ok"
    try:
        _play(world, settings, random)
    except Broken as broken:
        verdict = broken.message
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
        verdict=verdict,
        trace=tuple(f"{at:9.3f}  {who:5}  {what}" for at, who, what in world.trace),
    )


def build(settings: Settings, random: Random) -> World:
    """A colony of mixed hosts: clocks that drift, priorities, a few that are no candidates."""
    world = World(settings.nodes, random, settings.timing)
    for number, host in enumerate(world.hosts.values()):
        host.rate = 1 + random.uniform(-settings.drift, settings.drift)
        host.priority = random.choice([100, 100, 100, 50, 200])
        host.candidate = number < 3 or random.random() > 0.1
    return world


def _play(world: World, settings: Settings, random: Random) -> None:
    for host in world.hosts.values():
        world.queue.at(random.uniform(0, WARM_UP_S / 2), world.start, host)
    bound = settle_bound(settings.timing)
    trouble = Trouble(world)
    calm_at = max(WARM_UP_S, settings.seconds - 2 * bound)
    trouble.plan(draw(random, WARM_UP_S, calm_at, settings.mean_gap_s))
    world.queue.run(calm_at)
    trouble.heal()
    world.tell("", "(all faults end)")
    world.run(bound)
    _demand(world.checker.disagreement(), f"{bound:.1f} s after the last fault")
    terms = world.checker.terms
    world.run(max(bound, settings.seconds - world.queue.now))
    _demand(world.checker.disagreement(), "at the end")
    _demand("" if world.checker.terms == terms else "the queen changed", "though nothing was wrong")
    lost = world.checker.lost_writes()
    _demand(f"{lost} acknowledged writes are lost" if lost else "", "at the end")


def _demand(trouble: str, when: str) -> None:
    if trouble:
        raise Broken(f"{trouble} {when}")
