"""The simulated colony keeps every promise, and the checker would notice if it did not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from aware_agent.colony import election
from aware_agent.colony.election import Decision, Election, Phase
from aware_agent.colony.simulator import Report, Settings, simulate
from aware_agent.colony.simulator import __main__ as command
from aware_agent.colony.simulator.agent import Agent
from aware_agent.colony.simulator.etcd import Etcd
from aware_agent.colony.simulator.faults import WEIGHTS, draw
from aware_agent.colony.simulator.throne import Throne
from aware_agent.colony.timing import Timing

SHORT = Settings(nodes=5, seconds=150.0, mean_gap_s=4.0)


@pytest.mark.parametrize("nodes", [3, 4, 5, 9])
@pytest.mark.parametrize("seed", range(1, 26))
def test_small_colonies(nodes: int, seed: int) -> None:
    report = simulate(seed, Settings(nodes=nodes, seconds=300.0, mean_gap_s=5.0))
    assert report.verdict == "ok", "\n".join(report.trace[-40:])
    assert report.terms > 3, "nothing happened"
    assert report.writes > 300


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_hundred_nodes(seed: int) -> None:
    report = simulate(seed, Settings(nodes=100))
    assert report.verdict == "ok", "\n".join(report.trace[-40:])
    assert report.seconds == 600.0
    assert report.writes > 900


def test_slow_timings() -> None:
    timing = Timing(queen_ttl_s=10, presence_ttl_s=15, margin_s=0.5)
    assert simulate(3, Settings(nodes=5, seconds=600.0, timing=timing)).verdict == "ok"


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(7, SHORT) == simulate(7, SHORT)
    assert simulate(7, SHORT).trace != simulate(8, SHORT).trace


def test_every_kind_of_fault_is_drawn() -> None:
    faults = draw(Random(1), 0.0, 10_000.0, 6.0)
    assert {f.kind for f in faults} == set(WEIGHTS)
    assert all(0.0 <= f.at < 10_000.0 for f in faults)


# The checker must be able to fail: each of these breaks one rule on purpose -------------------------------------


def first_broken(settings: Settings = SHORT, seeds: int = 30) -> Report:
    reports = (simulate(seed, settings) for seed in range(1, seeds + 1))
    found = next((r for r in reports if r.verdict != "ok"), None)
    assert found is not None, "nobody noticed"
    return found


def test_a_queen_that_outstays_her_lease_is_noticed() -> None:
    """Without the margin, with the deadline counted half a second too far."""
    broken = first_broken(Settings(nodes=5, seconds=300.0, timing=Timing(margin_s=-0.6)))
    assert "still acts under it" in broken.verdict


def test_an_unfenced_write_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfenced(self: Agent, key: str, term: int) -> bool:
        self.world.etcd.put(key, term)
        self.world.checker.wrote(self, term, True)
        return True

    monkeypatch.setattr(Agent, "_fenced", unfenced)
    assert "was taken while term" in first_broken().verdict


def test_a_campaign_that_does_not_compare_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It overwrites the key of a queen that still reigns."""
    real = Etcd.txn

    def careless(self: Etcd, key: str, created: int, puts: Any, deletes: tuple[str, ...] = ()) -> int:
        found = self.keys.get(key)
        return real(self, key, found.created if found and key in puts else created, puts, deletes)

    monkeypatch.setattr(Etcd, "txn", careless)
    assert "still acts under it" in first_broken().verdict


def test_terms_that_do_not_grow_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store comes back from an old backup."""
    real = Etcd.change_leader

    def restore(self: Etcd, duration: float) -> None:
        real(self, duration)
        self.revision = 0

    monkeypatch.setattr(Etcd, "change_leader", restore)
    assert " after term " in first_broken().verdict


def test_a_claim_to_somebody_elses_term_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def bold(self: Throne, seat: Any, held: Any) -> None:
        self._conclude(election.Won(seat[1], held.deadline) if seat[0] else election.Failed("no answer"))

    monkeypatch.setattr(Throne, "_judge", bold)
    assert "both hold term" in first_broken(seeds=60).verdict


def test_a_store_that_forgets_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Etcd.change_leader

    def forget(self: Etcd, duration: float) -> None:
        real(self, duration)
        for key in [k for k in self.keys if k.startswith("log/")][-3:]:
            del self.keys[key]

    monkeypatch.setattr(Etcd, "change_leader", forget)
    assert "acknowledged writes are lost" in first_broken().verdict


def test_a_herd_is_noticed() -> None:
    broken = first_broken(Settings(nodes=30, timing=Timing(rank_step_s=0.0001)))
    assert "campaigns for one vacancy" in broken.verdict


def test_a_colony_that_never_recovers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second minute on nobody cares for a vacant throne."""
    for kind in (election.Vacant, election.Line):
        real = election._TABLE[Phase.WATCHING, kind]

        def idle(state: Election, event: Any, now: float, real: Any = real) -> Decision:
            return real(state, event, now) if now < 60 else Decision(election.replace(state, line=()))

        monkeypatch.setitem(election._TABLE, (Phase.WATCHING, kind), idle)
    assert "there is no queen" in first_broken().verdict


def test_a_slow_hand_over_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The successor is not named, but she who resigned is still first in line for everybody else."""
    real = election._TABLE[Phase.WATCHING, election.Vacant]

    def deaf(state: Election, event: election.Vacant, now: float) -> Decision:
        decision = real(state, event, now)
        if decision.state.phase is Phase.CAMPAIGNING and event.handover:
            later = election.replace(state, seat=None, campaign_at=now + 0.2)
            return Decision(later, (election.WakeAt(now + 0.2),), "what did she say?")
        return decision

    monkeypatch.setitem(election._TABLE, (Phase.WATCHING, election.Vacant), deaf)
    assert "a clean hand-over took" in first_broken().verdict


def _silent(decision: Decision) -> Decision:
    return Decision(decision.state, decision.effects)


def _termless(decision: Decision) -> Decision:
    return Decision(election.replace(decision.state, term=0), decision.effects, decision.sentence)


def _early(decision: Decision) -> Decision:
    return Decision(decision.state, (election.Reign(decision.state.term), election.WakeAt(0.0)), decision.sentence)


@pytest.mark.parametrize(
    ("spoil", "verdict"),
    [(_silent, "without a word"), (_termless, "is reigning with term 0"), (_early, "woken in the past")],
)
def test_an_odd_decision_is_noticed(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Decision], Decision], verdict: str
) -> None:
    real = election._TABLE[Phase.CAMPAIGNING, election.Won]
    monkeypatch.setitem(election._TABLE, (Phase.CAMPAIGNING, election.Won), lambda s, e, n: spoil(real(s, e, n)))
    assert verdict in first_broken(seeds=1).verdict


# The command ----------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--nodes", "3", "--seeds", "2", "--minutes", "2"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["seed", "nodes", "seconds"]
    assert [row.split()[:3] + row.split()[-1:] for row in rows] == [["1", "3", "120", "ok"], ["2", "3", "120", "ok"]]


def test_the_command_says_how_to_replay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = election._TABLE[Phase.CAMPAIGNING, election.Won]
    monkeypatch.setitem(election._TABLE, (Phase.CAMPAIGNING, election.Won), lambda s, e, n: _silent(real(s, e, n)))
    assert command.main(["--nodes", "3", "--first-seed", "5", "--minutes", "2"]) == 1
    out = capsys.readouterr().out
    assert "the throne is vacant; I campaign" in out, "the history before it"
    assert out.endswith(
        "replay: python -m aware_agent.colony.simulator --nodes 3 --minutes 2 --first-seed 5 --seeds 1\n"
    )
