"""The simulated colony keeps every promise, and the checker would notice if it did not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from aware_agent.agent.elector import Elector
from aware_agent.colony import election
from aware_agent.colony.election import Decision, Election, Phase
from aware_agent.colony.timing import Timing
from aware_agent.simulator import Report, Settings, World, simulate
from aware_agent.simulator import __main__ as command
from aware_agent.simulator.faults import WEIGHTS, draw
from aware_agent.simulator.shrink import shrink
from aware_agent.store import ops
from aware_agent.store.fenced import FencedResult, FencedTransactions
from aware_agent.store.keys import Keys
from aware_agent.store.lease import HeldLease
from aware_agent.store.memory import MemoryEtcd
from aware_agent.store.model import TxnResult

pytestmark = pytest.mark.no_cover

SHORT = Settings(nodes=5, seconds=150.0, mean_gap_s=4.0)


@pytest.mark.parametrize("nodes", [3, 4, 5, 7])
@pytest.mark.parametrize("seed", range(1, 5))
def test_councils(nodes: int, seed: int) -> None:
    """The drivers of the election themselves: ``make simulate`` plays more of them."""
    report = simulate(seed, Settings(nodes=nodes, seconds=180.0, mean_gap_s=5.0))
    assert report.verdict == "ok", "\n".join(report.trace[-40:])
    assert report.terms > 3, "nothing happened"
    assert report.writes > 150


def test_more_candidates_than_any_council_has() -> None:
    report = simulate(1, Settings(nodes=15, seconds=120.0))
    assert report.verdict == "ok", "\n".join(report.trace[-40:])
    assert report.seconds == 120.0
    assert report.writes > 100


def test_slow_timings() -> None:
    timing = Timing(queen_ttl_s=10, presence_ttl_s=15, margin_s=0.5)
    assert simulate(3, Settings(nodes=3, seconds=300.0, timing=timing)).verdict == "ok"


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


def test_a_queen_that_outstays_her_lease_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Her lease is counted from later than the keepalive was sent: further than the margin forgives."""
    real = HeldLease.renewed
    monkeypatch.setattr(HeldLease, "renewed", lambda self, sent, ttl: real(self, sent + 0.9, ttl))
    assert "still acts under it" in first_broken().verdict


def test_an_unfenced_write_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unfenced(self: FencedTransactions, operations: Sequence[ops.Op], **_: Any) -> FencedResult:
        result = await self._client.txn([], operations)
        return FencedResult(revision=result.revision)

    monkeypatch.setattr(FencedTransactions, "commit", unfenced)
    assert "was taken while term" in first_broken().verdict


def test_a_campaign_that_does_not_compare_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It overwrites the key of a queen that still reigns."""
    real = MemoryEtcd.txn

    def careless(self: MemoryEtcd, compares: Sequence[ops.Compare], *branches: Any) -> TxnResult:
        campaign = compares[:1] == [ops.absent(Keys("sim").queen)]
        return real(self, [] if campaign else compares, *branches)

    monkeypatch.setattr(MemoryEtcd, "txn", careless)
    assert "still acts under it" in first_broken().verdict


def test_terms_that_do_not_grow_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store comes back from an old backup."""
    real = World.change_leader

    def restore(self: World, duration: float) -> None:
        real(self, duration)
        self.etcd.history.revision = 1

    monkeypatch.setattr(World, "change_leader", restore)
    verdicts = (simulate(seed, SHORT).verdict for seed in range(1, 31))
    assert any(" after term " in verdict for verdict in verdicts)


def test_a_claim_to_somebody_elses_term_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def bold(self: Elector, value: bytes, term: int, lease: HeldLease) -> election.Won:
        return election.Won(term, lease.deadline)

    monkeypatch.setattr(Elector, "_outcome", bold)
    assert "both hold term" in first_broken(seeds=60).verdict


def test_a_store_that_forgets_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = World.change_leader

    def forget(self: World, duration: float) -> None:
        real(self, duration)
        present = self.etcd.history.now
        for key in [key for key in present if key.startswith(self.log_prefix)][-3:]:
            del present[key]

    monkeypatch.setattr(World, "change_leader", forget)
    assert "acknowledged writes are lost" in first_broken().verdict


def test_a_herd_is_noticed() -> None:
    broken = first_broken(Settings(nodes=30, timing=Timing(rank_step_s=0.0001)))
    assert "campaigns for one vacancy" in broken.verdict


def test_a_colony_that_never_recovers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second minute on nobody campaigns any more."""
    for kind in (election.Vacant, election.Succession):
        real = election._TABLE[Phase.WATCHING, kind]

        def idle(state: Election, event: Any, now: float, real: Any = real) -> Decision:
            return real(state, event, now) if now < 60 else Decision(election.replace(state, line=()))

        monkeypatch.setitem(election._TABLE, (Phase.WATCHING, kind), idle)
    assert "no queen for 7.0 s" in first_broken().verdict


def test_a_slow_hand_over_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The successor is not named, but she who resigned is still first in line for everybody else."""
    real = election._TABLE[Phase.WATCHING, election.Vacant]

    def deaf(state: Election, event: election.Vacant, now: float) -> Decision:
        decision = real(state, event, now)
        if decision.state.phase is Phase.CAMPAIGNING and event.handover:
            later = election.replace(state, queen_record=None, campaign_at=now + 0.2)
            return Decision(later, (election.WakeAt(now + 0.2),), "what did she say?")
        return decision

    monkeypatch.setitem(election._TABLE, (Phase.WATCHING, election.Vacant), deaf)
    assert "a clean hand-over took" in first_broken().verdict


def _silent(decision: Decision) -> Decision:
    return Decision(decision.state, decision.effects)


def _termless(decision: Decision) -> Decision:
    return Decision(election.replace(decision.state, term=0), decision.effects, decision.message)


def _early(decision: Decision) -> Decision:
    return Decision(decision.state, (election.Reign(decision.state.term), election.WakeAt(0.0)), decision.message)


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
    assert "there is no queen; I campaign" in out, "the history before it"
    again = "--nodes 3 --council 3 --minutes 2 --every 6 --first-seed 5 --seeds 1 --only none"
    assert re.search(r"^with 0 of \d+ faults:$", out, re.MULTILINE), "the first election is broken without any"
    assert out.endswith(f"replay: python -m aware_agent.simulator {again}\n")


def test_a_failing_run_is_shrunk_to_a_few_faults_and_replays_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unfenced(self: FencedTransactions, operations: Sequence[ops.Op], **_: Any) -> FencedResult:
        result = await self._client.txn([], operations)
        return FencedResult(revision=result.revision)

    monkeypatch.setattr(FencedTransactions, "commit", unfenced)
    settings = Settings(nodes=5, council=0, seconds=75.0, mean_gap_s=1.5)
    broken = first_broken(settings)
    numbers, small = shrink(broken.seed, settings, broken, most=30)
    assert 0 < len(numbers) < len(broken.faults) / 2
    assert "was taken while term" in small.verdict
    assert simulate(broken.seed, settings, numbers) == small
