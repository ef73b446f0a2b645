"""Deliberate defects in what the simulator drives, one line of source each, and the search for a seed that finds one.

A defect names a function, a piece of its source and what that piece is to become. The piece has to be there exactly
once, so that a table that no longer fits the code fails, and never passes for nothing. ::

    python tests/unit/simulator_defects.py            all of them, as make simulate-mutations does
    python tests/unit/simulator_defects.py fence      those with that word in their name
"""

# ruff: noqa: E501 - one defect, one line
from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from aware_agent.simulator import Settings, simulate
from aware_agent.simulator.founding import FoundingSettings, simulate_founding

SEEDS = 40  # a defect that none of them finds is not found
COLONY = Settings(nodes=5, seconds=85.0, mean_gap_s=1.5, council=0)
COUNCIL = Settings(nodes=5, seconds=100.0, mean_gap_s=3.0)
FOUNDING = FoundingSettings(size=3, holders=5, mean_gap_s=0.7, loss=0.5)


class Defect(NamedTuple):
    """``where`` is module:function, ``old`` of its source becomes ``new``. ``play`` runs one seed: the verdict."""

    name: str
    where: str
    old: str
    new: str
    play: Callable[[int], str]


class Found(NamedTuple):
    """The first seed that breaks a promise with the defect, and the promise."""

    seed: int
    verdict: str


def colony(seed: int) -> str:
    """Election, suspicion, presence, leases and copies of etcd."""
    return simulate(seed, COLONY).verdict


def council(seed: int) -> str:
    """The same with the duties of queens: the council's keeper, records and castes."""
    return simulate(seed, COUNCIL).verdict


def founding(seed: int) -> str:
    """Founders of a colony."""
    return simulate_founding(seed, FOUNDING).verdict


_ELECTOR = "aware_agent.agent.elector:Elector."
_ELECTION = "aware_agent.colony.election:"
_FENCED = "aware_agent.store.fenced:FencedTransactions."
_LEASE = "aware_agent.store.lease:"
_PRESENCE = "aware_agent.agent.presence:Presence."
_COPY = "aware_agent.store.projection:Projection."
_WATCH = "aware_agent.agent.queen_watch:QueenWatch."
_DETECTOR = "aware_agent.agent.member.detector:FailureDetector."
_SUSPICION = "aware_agent.colony.suspicion:"
_PICTURE = "aware_agent.colony.council_picture:Picture."
_COUNCIL = "aware_agent.colony.council:"
_KEEPER = "aware_agent.queen.council_keeper:CouncilKeeper."
_LIVENESS = "aware_agent.colony.liveness:"
_FOUNDING = "aware_agent.colony.founding:"

DEFECTS = (
    # Fences
    Defect("a write without a fence", _FENCED + "commit", "[fence, *compares]", "[*compares]", colony),
    Defect(
        "a fence that any queen passes",
        _FENCED + "commit",
        "ops.created(self._queen_key, self.term)",
        "ops.exists(self._queen_key)",
        colony,
    ),
    Defect(
        "a campaign that overwrites a queen",
        _ELECTOR + "_create_queen_key",
        "[ops.absent(self._keys.queen)]",
        "[]",
        colony,
    ),
    # Terms and whose they are
    Defect(
        "a campaign won with somebody else's key",
        _ELECTOR + "_outcome",
        "queen_record.incarnation == self.state.incarnation",
        "queen_record",
        colony,
    ),
    Defect("a key of an earlier life left where it is", _ELECTION + "_sees_queen", "(Evict(event.term),)", "()", colony),
    Defect("a newer queen ignored", _ELECTION + "_reigning_sees_queen", "event.term < state.term", "True", colony),
    Defect(
        "a vacancy that is not noticed by her who reigned",
        _ELECTION + "_reigning_sees_vacancy",
        "if state.queen_record is None or state.queen_term != state.term:",
        "if True:",
        colony,
    ),
    Defect("everybody campaigns at once", _ELECTION + "_schedule", "now + place * state.timing.rank_step_s", "now", colony),
    # Leases
    Defect("a lease given up and not revoked", _ELECTOR + "_let_go", "self._start(self._revoke(lease))", "pass", colony),
    Defect("a renewal that is not told", _ELECTOR + "_renewed", "self.post(election.Renewed(deadline))", "pass", colony),
    Defect("duties that begin before the election is won", _ELECTOR + "_campaign", "lease = self._lease\n", "lease = self._lease; self._reigns.begin(1)\n", colony),
    Defect("duties that do not end with the reign", _ELECTOR + "_perform", "self._reigns.end(term, reason)", "pass", colony),
    # Signs of life
    Defect("a new lease for each unanswered request", _PRESENCE + "_lease_now", "self._lease is None or self._lease.lost.is_set()", "True", colony),
    Defect("a change that is not announced", _PRESENCE + "update", "self._changed.set()", "pass", colony),
    Defect("a sign of life without a lease", _PRESENCE + "_claim", "lease=lease.id", "lease=0", colony),
    Defect("a predecessor's sign of life left", _PRESENCE + "_is_mine", "return report.leaving or report.incarnation == mine.incarnation or at_home", "return False", colony),
    # Copies of etcd
    Defect("a copy that skips what came meanwhile", _COPY + "_follow", "min(self._known) + 1", "min(self._known) + 2", colony),
    Defect("a copy that keeps what was deleted", _COPY + "_take", "self._kvs.pop(key, None)", "pass", colony),
    Defect("a watch that ends with a compaction", _COPY + "_run", "await self._relist_until_done()", "await asyncio.sleep(1e9)", colony),
    Defect("a queen who is told of only once", _WATCH + "look", "queen.create_revision == self.seen_term", "self.seen_term", colony),
    Defect("a vacancy that is not told", _WATCH + "look", "if self.seen_term or first or news:", "if first:", colony),
    # Suspicion
    Defect("a suspicion without a fence", _DETECTOR + "_say", "[ops.created(self._keys.queen, word.term)], [put]", "[], [put]", colony),
    Defect("a suspicion without a lease", _DETECTOR + "_say", "lease=lease.id", "lease=0", colony),
    Defect("a suspicion that is not taken back", _SUSPICION + "_believes_again", "(Retract(state.term),)", "()", colony),
    Defect("a suspicion that outlives the term", _SUSPICION + "_reigns", "if state.suspects else ()", "if False else ()", colony),
    Defect("half of the council as its majority", _SUSPICION + "_deposition", "enough = majority(state.council)", "enough = len(state.council) // 2", colony),
    Defect("a deposition that leaves what was said", _DETECTOR + "_depose", "ops.delete_range(prefix, prefix_end(prefix)),", "", colony),
    # Council and castes
    Defect("a seat that nobody is told of", _COUNCIL + "_missing_seats", "picture.look.seats.get(member.node) != member.id", "False", council),
    Defect("a seat that is never taken back", _COUNCIL + "_stale_seats", "member not in ids", "False", council),
    Defect("a member replaced at once", _COUNCIL + "_lost", "picture.lost_for(m) >= after", "True", council),
    Defect("a council larger than wanted", _COUNCIL + "_too_few", "voters >= size", "voters > size", council),
    Defect("a council that does not shrink", _COUNCIL + "_too_many", "<= picture.look.spec.size", "<= 99", council),
    Defect("a learner who never votes", _COUNCIL + "_learner", "if not learner.healthy:", "if True:", council),
    Defect("a second learner beside the first", _COUNCIL + "_learner", "if not picture.learners:", "if True:", council),
    Defect("etcd led from the queen's host", _COUNCIL + "_off_my_host", "if not mine or not others or shrinking or _is_growing(picture):", "if True:", council),
    Defect("a step of the council without a fence", _KEEPER + "_make", "await self._colony.announce(step, sentence)", "pass", council),
    Defect("a council that nobody is told of", _KEEPER + "work", "await self._colony.publish(record)", "pass", council),
    Defect("the silent taken for ready", _LIVENESS + "_judge_one", "if record.status in (Status.READY, Status.AWAY):", "if False:", council),
    Defect("a reconciler that does not hear of changes", "aware_agent.queen.loop:Loop.refresh", "self._nudged.set()", "pass", council),
    # Founding
    Defect("a founder who does not wait for all", _FOUNDING + "_bound", "if missing:", "if False:", founding),
    Defect("a founder who is not the lowest", _FOUNDING + "_bound", "if state.me != state.founders[0]:", "if False:", founding),
    Defect("a colony that serves with one founder", _FOUNDING + "_count", "len(there) > state.size // 2", "len(there) > 0", founding),
    Defect("a colony that serves with half of its founders", _FOUNDING + "_count", "len(there) > state.size // 2", "len(there) >= state.size // 2", founding),
    Defect("nobody looks for a colony he was not called to", _FOUNDING + "_look_around", "not state.try_at or now < state.try_at", "True", founding),
    Defect("another set than those who are bound to me", _FOUNDING + "_gathering_hears", "if mine:", "if False:", founding),
)  # fmt: skip


@contextmanager
def made(defect: Defect) -> Iterator[None]:
    """The defect is in the code as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        put(defect, patch)
        yield


def put(defect: Defect, patch: pytest.MonkeyPatch) -> None:
    """Put the defect where it belongs. Raises :class:`LookupError` for one that no longer fits the code."""
    module_name, _, path = defect.where.partition(":")
    module: Any = import_module(module_name)
    *owners, name = path.split(".")
    owner = module
    for one in owners:
        owner = getattr(owner, one)
    real = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(real))
    if source.count(defect.old) != 1:
        raise LookupError(f"{defect.name}: {defect.where} has {source.count(defect.old)} times {defect.old!r}")
    spoiled = compiled(source.replace(defect.old, defect.new), module, name)
    patch.setattr(owner, name, spoiled)
    for value in list(vars(module).values()):  # tables of handlers name the function itself
        if isinstance(value, dict):
            for key in [key for key, handler in value.items() if handler is real]:
                patch.setitem(value, key, spoiled)
    for table, value in list(vars(module).items()):
        if isinstance(value, tuple) and real in value:
            patch.setattr(module, table, tuple(spoiled if one is real else one for one in value))


def compiled(source: str, module: Any, name: str) -> Callable[..., Any]:
    """The function, as if it stood in ``module``."""
    tree = ast.parse(source)
    space: dict[str, Any] = {}
    code = compile(ast.Module([ast.parse("from __future__ import annotations").body[0], *tree.body], []), name, "exec")
    exec(code, vars(module) | {"__name__": module.__name__}, space)
    found = space[name]
    # What it calls has to be what the module has when it is called, not when it was made.
    made_of: Callable[..., Any] = type(found)(found.__code__, vars(module), name, found.__defaults__, found.__closure__)
    made_of.__kwdefaults__ = found.__kwdefaults__
    return made_of


def find(defect: Defect, seeds: int = SEEDS) -> Found | None:
    """The first seed that finds the defect."""
    with made(defect):
        for seed in range(1, seeds + 1):
            verdict = defect.play(seed)
            if verdict != "ok":
                return Found(seed, verdict)
    return None


def main(words: list[str]) -> int:
    """Exit code 1 if one was not found."""
    chosen = [d for d in DEFECTS if not words or any(word in d.name for word in words)]
    missed = 0
    for defect in chosen:
        begin = time.process_time()
        found = find(defect)
        missed += found is None
        spent = time.process_time() - begin
        where = f"seed {found.seed:2}: {found.verdict}" if found else f"NOT FOUND in {SEEDS} seeds"
        sys.stdout.write(f"{spent:5.1f} s  {defect.name:50}  {where[:150]}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - missed} of {len(chosen)} defects were found\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
