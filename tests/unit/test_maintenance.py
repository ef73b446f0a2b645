"""Room in etcd: what is compacted, defragmented and disarmed, in which order, and when nothing is."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from msgspec.structs import replace

from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.maintenance import (
    AFTERMATH_S,
    BETWEEN_S,
    EVERY_S,
    FIRST_S,
    LARGE,
    LONGEST_ROUND_S,
    MOVES,
    ROUND_S,
    TIGHT_S,
    Compact,
    Decision,
    Defragment,
    Disarm,
    Disk,
    Done,
    Event,
    Failed,
    Look,
    PutOnRecord,
    State,
    decide,
    holds,
)
from aware_agent.colony.seats import Blind, MoveLeader, Remove

FULL = [
    Disk(id=1, node="a", name="a", leads=True, size=10 * LARGE, in_use=LARGE, full=True),
    Disk(id=2, node="b", name="b", size=10 * LARGE, in_use=LARGE),
    Disk(id=3, node="c", name="c", size=10 * LARGE, in_use=LARGE),
]
WELL = [replace(member, full=False) for member in FULL]


class Scene:
    """Looks, and makes every step that is decided."""

    def __init__(self, members: list[Disk], *, live: int = LARGE) -> None:
        self.members = {member.id: member for member in members}
        self.live = live  # bytes that no defragmentation gives back
        self.now = 0.0
        self.state = State()
        self.said: list[str] = []
        self.quiet = True
        self.corrupt = False
        self.queen = "c"
        self.refuses: set[object] = set()
        self.gone: list[int] = []  # whose alarm is left
        self.paused: Counter[int] = Counter()

    def decide(self, event: Event) -> Decision:
        decision = decide(self.state, event, self.now)
        self.state = decision.state
        self.said += [decision.message] if decision.message else []
        return decision

    def step(self, after: float = 2.0) -> object:
        """Look once, and make what is decided."""
        self.now += after
        look = Look(
            members=tuple(self.members.values()),
            revision=int(self.now * 10),
            queen=self.queen,
            quiet=self.quiet,
            corrupt=self.corrupt,
            gone=tuple(self.gone),
        )
        step = self.decide(look).effect
        if step is not None:
            failed = step in self.refuses or type(step) in self.refuses
            if not failed:
                self._make(step)
            self.decide(Failed(step, "etcd said no") if failed else Done(step))
        return step

    def _make(self, step: object) -> None:
        if isinstance(step, Remove):
            self.gone += [step.member] if self.members.pop(step.member).full else []
        elif isinstance(step, Disarm):
            self.gone = [number for number in self.gone if number not in step.members]
        for number, member in self.members.items():
            if isinstance(step, Defragment) and number == step.member:
                self.paused[number] += 1
                self.members[number] = replace(member, size=self.live, in_use=self.live)
            elif isinstance(step, MoveLeader):
                self.members[number] = replace(member, leads=number == step.member)
            elif isinstance(step, Disarm) and number in step.members:
                self.members[number] = replace(member, full=False)

    def steps(self, looks: int, after: float = 2.0) -> list[object]:
        return [step for _ in range(looks) if (step := self.step(after)) is not None]


def test_a_full_etcd_is_cured_followers_first_and_the_leader_when_it_leads_no_more() -> None:
    scene = Scene(FULL)
    steps = scene.steps(40)
    assert steps[:-1] == [Compact(20), Defragment(2), Defragment(3), MoveLeader(2), Defragment(1), Disarm((1,))]
    assert isinstance(steps[-1], PutOnRecord), "the first write shows that it takes writes"
    assert scene.said[0] == "etcd is full and takes no writes (alarm NOSPACE): giving back room"
    assert scene.said[1:] == [steps[-1].sentence]
    assert scene.state.full_since is None


def test_leadership_does_not_go_to_the_queens_host_while_there_is_another() -> None:
    scene = Scene(FULL)
    scene.queen = "b"
    assert MoveLeader(3) in scene.steps(40)


def test_history_is_kept_up_to_the_look_before_so_that_a_watch_that_resumes_finds_it() -> None:
    scene = Scene(FULL)
    assert scene.step() is None, "the first look only takes note"
    assert scene.step() == Compact(20)
    assert scene.now == 4.0


def test_the_only_member_is_defragmented_although_it_leads() -> None:
    scene = Scene([FULL[0]])
    assert scene.steps(30)[1:3] == [Defragment(1), Disarm((1,))]


def test_a_leader_whose_followers_are_away_is_left_alone() -> None:
    lone = [FULL[0], *(replace(member, healthy=False) for member in FULL[1:])]
    scene = Scene(lone)
    assert scene.steps(50) == [], "there is no majority"
    scene = Scene([FULL[0], replace(FULL[1], size=LARGE), replace(FULL[2], healthy=False)])
    steps = scene.steps(30)
    assert Defragment(1) in steps
    assert steps.index(MoveLeader(2)) < steps.index(Defragment(1)), "it leads no more when it pauses"
    assert Defragment(3) not in steps


def test_what_cannot_be_cured_is_told_once_and_tried_with_growing_pauses() -> None:
    scene = Scene(FULL, live=10 * LARGE)
    scene.refuses = {PutOnRecord}
    times = []
    for _ in range(3600):
        before = scene.now
        if isinstance(scene.step(), Compact):
            times.append(before)
        disarmed = scene.state.round is not None and scene.state.round.disarmed
        scene.members[1] = replace(scene.members[1], full=not disarmed)
    assert len(scene.said) == 2, scene.said
    assert "raise council.quota_mib" in scene.said[1]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[0] >= ROUND_S
    assert max(gaps) < LONGEST_ROUND_S + 20.0, "whoever gave it room meanwhile waits no longer"
    assert len(times) <= 3 + 7200 / LONGEST_ROUND_S + 2
    assert scene.paused == {1: 1, 2: 1, 3: 1}, "once nothing is unused nobody pauses for it"


def test_an_alarm_that_is_back_before_a_write_was_made_is_no_cure() -> None:
    scene = Scene([FULL[0]])
    while not isinstance(scene.step(), Disarm):
        assert scene.now < 100
    scene.members[1] = replace(scene.members[1], full=True)
    assert scene.steps(int(ROUND_S / 2) - 4) == []
    assert len(scene.said) == 1, "once may be too early"
    while "stays full" not in scene.said[-1]:
        scene.step()
        scene.members[1] = replace(scene.members[1], full=True)
        assert scene.now < 4 * ROUND_S


def test_one_that_fills_up_again_and_again_is_cured_less_and_less_often_and_says_when() -> None:
    scene = Scene([FULL[0]])
    for _ in range(3000):
        if isinstance(scene.step(), PutOnRecord):
            scene.members[1] = FULL[0]
    full = [said for said in scene.said if "takes no writes" in said]
    assert "giving back room in 58 s, for it was full 2 s ago as well" in full[1]
    assert len(set(full)) <= 6, "the pause grows and has a longest"
    assert 5 < len([said for said in scene.said if "has room again" in said]) <= 3 + 6000 / LONGEST_ROUND_S + 2


@pytest.mark.parametrize("alarms", [2, 3, 6])
def test_an_alarm_after_a_cure_that_held_is_a_new_trouble_and_cured_at_once(alarms: int) -> None:
    scene = Scene([FULL[0]])
    for _ in range(alarms):
        scene.members[1] = FULL[0]
        assert isinstance(scene.steps(15)[-1], PutOnRecord)
        assert scene.steps(int(ROUND_S)) == []
    assert len([said for said in scene.said if said.endswith("giving back room")]) == alarms


def test_a_new_alarm_waits_only_for_what_is_left_of_the_pause_since_the_cure() -> None:
    scene = Scene([FULL[0]])
    scene.steps(15)
    scene.steps(int(ROUND_S / 2) - 10)
    scene.members[1] = FULL[0]
    cured, steps = scene.state.cured, 0
    while not scene.steps(1):
        steps += 1
        assert steps < ROUND_S
    assert scene.now <= cured + ROUND_S + 4


def test_a_member_that_refuses_does_not_keep_the_others_from_it() -> None:
    scene = Scene(FULL)
    scene.refuses = {Defragment(2)}
    steps = scene.steps(40)
    assert steps.count(Defragment(2)) == 1
    assert Defragment(3) in steps
    assert Disarm((1,)) in steps


def test_a_learner_is_let_go_for_nobody_can_give_back_its_room_and_its_alarm_goes_with_the_others() -> None:
    learner = Disk(id=4, node="d", name="d", voter=False, healthy=False, size=10 * LARGE, in_use=LARGE, full=True)
    scene = Scene([*FULL, learner])
    steps = scene.steps(50)
    assert steps[:2] == [Compact(20), Remove(4)]
    assert Disarm((1, 4)) in steps
    assert isinstance(steps[-1], PutOnRecord)


def test_the_alarm_of_a_member_that_is_gone_is_an_alarm() -> None:
    scene = Scene(WELL)
    scene.gone = [9]
    steps = scene.steps(50)
    assert Disarm((9,)) in steps
    assert isinstance(steps[-1], PutOnRecord)


def test_a_learner_that_cannot_be_let_go_keeps_nobody_from_the_rest() -> None:
    scene = Scene([*FULL, Disk(id=4, node="d", name="d", voter=False)])
    scene.refuses = {Remove(4)}
    steps = scene.steps(50)
    assert steps.count(Remove(4)) == 1
    assert Disarm((1,)) in steps


def test_damaged_data_are_not_touched() -> None:
    scene = Scene(FULL)
    scene.corrupt = True
    assert scene.steps(100) == []


def test_in_routine_one_member_after_the_other_gives_back_room_and_the_leader_last() -> None:
    scene = Scene(WELL)
    begun = None
    found = []
    for _ in range(2000):
        step = scene.step()
        if step is not None:
            found.append(step)
            begun = begun or scene.now
            times = scene.state.defragmented
    assert found == [Defragment(2), Defragment(3), MoveLeader(2), Defragment(1)]
    assert begun is not None
    assert begun >= FIRST_S
    assert all(after - before >= BETWEEN_S for before, after in itertools.pairwise(sorted(times.values())))
    assert scene.said[0] == "b gives back 900 MiB that its etcd does not use"


def test_who_forgot_after_it_wrote_its_file_anew_writes_it_once_more_after_the_cure() -> None:
    """A busy member compacts late; then its file is as large as ever, and a new member's copy fills etcd again."""
    scene = Scene([replace(member, size=47 << 20, in_use=47 << 20, quota=48 << 20) for member in FULL], live=1 << 20)
    make = scene._make

    def late(step: object) -> None:
        make(step)
        if isinstance(step, Defragment) and step.member != 2 and scene.paused[step.member] == 1:
            scene.members[step.member] = replace(scene.members[step.member], size=47 << 20, in_use=40 << 20)
        if isinstance(step, PutOnRecord):  # writes again: now it counts what is unused
            scene.members = {number: replace(m, in_use=1 << 20) for number, m in scene.members.items()}

    scene._make = late  # type: ignore[method-assign]
    scene.quiet = False
    steps = scene.steps(40)
    cured = next(number for number, step in enumerate(steps) if isinstance(step, PutOnRecord))
    assert steps[cured + 1 :] == [Defragment(1), Defragment(3)], "once, and another one leads by then"
    assert max(member.size for member in scene.members.values()) == 1 << 20


def test_nothing_else_changes_while_etcd_is_full_and_right_after_and_not_for_longer() -> None:
    scene = Scene(FULL)
    held = []
    for _ in range(60):
        scene.step()
        look = Look(members=tuple(scene.members.values()), revision=1)
        held.append(holds(scene.state, look, scene.now))
    assert held[0]
    assert not held[-1]
    assert held == sorted(held, reverse=True), "once it is over it is over"
    assert sum(held) * 2.0 > AFTERMATH_S


@pytest.mark.parametrize("change", ["damaged", "no majority"])
def test_a_cure_that_cannot_go_on_holds_nobody_up(change: str) -> None:
    scene = Scene(FULL)
    scene.step()
    members = [replace(member, full=False) for member in FULL]
    if change == "no majority":
        members = [FULL[0], *(replace(member, healthy=False) for member in FULL[1:])]
    look = Look(members=tuple(members), revision=1, corrupt=change == "damaged")
    assert not holds(scene.state, look, scene.now)


def test_room_that_a_person_gave_is_seen_at_once_after_rounds_in_vain() -> None:
    scene = Scene([replace(member, in_use=member.size) for member in FULL], live=FULL[0].size)
    scene.refuses = {Disarm}
    for _ in range(4000):
        scene.step()
        if scene.state.rest_until - scene.now > ROUND_S * 4:
            break
    scene.members = {number: replace(member, full=False) for number, member in scene.members.items()}
    scene.refuses = set()
    before = scene.now
    assert isinstance(scene.steps(10)[-1], PutOnRecord)
    assert scene.now - before <= 20.0
    look = Look(members=tuple(scene.members.values()), revision=1)
    assert not holds(scene.state, look, scene.now + AFTERMATH_S)


def test_leadership_that_does_not_stay_moved_keeps_nobody_from_the_rest() -> None:
    scene = Scene(FULL)
    scene.refuses = set()
    make = scene._make
    scene._make = lambda step: None if isinstance(step, MoveLeader) else make(step)  # type: ignore[method-assign]
    steps = scene.steps(60)
    assert steps.count(MoveLeader(2)) == MOVES
    assert isinstance(steps[-1], PutOnRecord)


def test_a_mostly_unused_file_of_half_the_quota_is_written_anew_soon_however_small_it_is() -> None:
    small = [replace(member, size=41 << 20, in_use=1 << 20, quota=48 << 20) for member in WELL]
    scene = Scene([small[0], small[1], replace(small[2], size=5 << 20)], live=1 << 20)
    begun = scene.now
    assert scene.steps(200) == [Defragment(2), MoveLeader(2), Defragment(1)], "the third has room"
    assert all(TIGHT_S <= at - begun < FIRST_S for at in scene.state.defragmented.values())
    assert scene.paused == {1: 1, 2: 1}


def test_a_tight_file_that_cannot_be_made_smaller_is_not_written_over_and_over() -> None:
    scene = Scene([replace(WELL[0], size=41 << 20, in_use=1 << 20, quota=48 << 20)])
    scene._make = lambda _step: scene.paused.update([1])  # type: ignore[method-assign]
    scene.steps(int(BETWEEN_S * 3 / 2.0))
    assert 1 < scene.paused[1] <= 3


def test_a_tight_file_waits_while_the_council_changes() -> None:
    scene = Scene([replace(member, size=41 << 20, in_use=1 << 20, quota=48 << 20) for member in WELL])
    scene.quiet = False
    assert scene.steps(600) == []


def test_a_member_that_gave_back_nothing_is_asked_again_after_hours_only() -> None:
    scene = Scene([WELL[0]], live=10 * LARGE)
    scene._make = lambda _step: None  # type: ignore[method-assign]
    assert scene.steps(4000) == [Defragment(1)]
    assert scene.steps(int(EVERY_S / 2)) == [Defragment(1)]


@pytest.mark.parametrize(
    "members",
    [
        [replace(WELL[0], size=LARGE - 1, in_use=0)],
        [replace(member, in_use=member.size // 2) for member in WELL],
        [WELL[0], WELL[1], replace(WELL[2], healthy=False)],
        [WELL[0], WELL[1], replace(WELL[2], voter=False)],
        [Disk(id=1)],
    ],
    ids=["small", "used", "one is away", "one learns", "nothing known"],
)
def test_routine_waits_for_a_reason_and_for_everybody(members: list[Disk]) -> None:
    assert Scene(members).steps(1000) == []


def test_routine_waits_until_nothing_else_changes() -> None:
    scene = Scene(WELL)
    scene.quiet = False
    assert scene.steps(1000) == []
    scene.quiet = True
    assert scene.step() == Defragment(2)


def test_a_routine_step_that_fails_is_said_and_not_repeated_soon() -> None:
    scene = Scene(WELL)
    scene.refuses = {Defragment(2)}
    steps = scene.steps(1000)
    assert steps.count(Defragment(2)) == 1
    assert "etcd did not do it: etcd said no" in scene.said


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(IllegalTransition):
        decide(State(), Done(Compact(1)), 0.0)
    scene = Scene(FULL)
    scene.step()
    scene.now += 2
    scene.decide(Look(members=tuple(FULL), revision=1))
    with pytest.raises(IllegalTransition):
        scene.decide(Look(members=tuple(FULL), revision=1))
    with pytest.raises(IllegalTransition):
        scene.decide(Done(Defragment(1)))


def test_blindness_changes_nothing() -> None:
    state = State(full_since=3.0)
    assert decide(state, Blind("no answer"), 5.0) == Decision(state)
