"""The state machine of a job: every state with every event, whose turn it is, and what history lets go."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.jobs import (
    ENDS,
    MAX_ATTEMPTS,
    MAX_MESSAGE,
    OPEN,
    Cancel,
    End,
    Event,
    HostProgress,
    Inherit,
    Job,
    JobOver,
    JobState,
    Progress,
    Report,
    Start,
    decide,
    forgettable,
    startable,
)
from aware_agent.colony.operation import Operation

PROGRESS = Progress(task="Restart", hosts={"web-1": HostProgress(ok=2)})
EVENTS: list[Event] = [
    Start(7, "demo-1"),
    Report(PROGRESS, 3, 900, 0),
    Cancel("otto"),
    *(End(state, "why", "it is over") for state in ENDS),
    Inherit(9, True),
    Inherit(9, False),
]


def job(number: int = 0, **values: object) -> Job:
    fields = {"operation": "restart", "parameters": {"graceful": True}, "term": 5, "actor": "otto"}
    fields |= {"created_at": 1.0, "changed_at": 1.0, **values}
    return Job(id=f"{number:026d}", **fields)  # type: ignore[arg-type]


ALLOWED = {
    JobState.QUEUED: (Start, Cancel, End),
    JobState.RUNNING: (Report, Cancel, End, Inherit),
}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{type(event).__name__}-{event[0]}")
def test_every_state_takes_the_events_that_make_sense_and_no_other(state: JobState, event: Event) -> None:
    before = job(state=state, attempt=1, node="demo-1")
    if type(event) not in ALLOWED.get(state, ()):
        with pytest.raises(JobOver, match=str(state)):
            decide(before, event, 2.0)
        return
    after = decide(before, event, 2.0).job
    assert after.changed_at == 2.0
    assert (after.id, after.operation, after.parameters, after.actor) == (
        before.id, before.operation, before.parameters, before.actor,
    )  # fmt: skip


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_an_end_is_an_end_and_every_change_of_state_is_told(events: list[Event]) -> None:
    now, one = 1.0, job()
    for event in events:
        now += 1
        try:
            decision = decide(one, event, now)
        except JobOver:
            continue
        assert one.open, "what has ended never changes again"
        if decision.job.state is not one.state:
            assert decision.line is not None
            assert decision.line.payload["state"] == decision.job.state
        one = decision.job
        assert one.attempt <= MAX_ATTEMPTS
        assert (one.ended_at > 0) == (one.state in ENDS)
        assert len(one.message) <= MAX_MESSAGE
        assert not one.message or one.state in ENDS


def test_it_is_started_again_only_when_that_does_no_harm_and_not_for_ever() -> None:
    running = job(state=JobState.RUNNING, attempt=1, node="demo-1")
    again = decide(running, Inherit(9, True), 2.0)
    assert (again.job.state, again.job.term, again.job.reason) == (JobState.QUEUED, 9, "interrupted")
    lost = decide(running, Inherit(9, False), 2.0)
    assert (lost.job.state, lost.job.reason) == (JobState.LOST, "interrupted")
    assert "term 5 fell" in lost.job.message
    worn = msgspec.structs.replace(running, attempt=MAX_ATTEMPTS)
    assert decide(worn, Inherit(9, True), 2.0).job.state is JobState.LOST


def test_a_queen_inherits_nothing_of_herself() -> None:
    running = job(state=JobState.RUNNING, term=9)
    assert decide(running, Inherit(9, False), 2.0).job == running


def test_what_was_cancelled_ends_as_cancelled_unless_it_was_done_before() -> None:
    running = decide(job(state=JobState.RUNNING), Cancel("ada"), 2.0).job
    assert running.state is JobState.RUNNING
    assert decide(running, Cancel("otto"), 3.0).job.cancelled_by == "ada"
    for state in (JobState.FAILED, JobState.CANCELLED, JobState.LOST):
        ended = decide(running, End(state, "", ""), 3.0).job
        assert (ended.state, ended.message) == (JobState.CANCELLED, "ada cancelled it")
    assert decide(running, End(JobState.SUCCEEDED, "", "done"), 3.0).job.state is JobState.SUCCEEDED
    assert decide(running, Inherit(9, True), 3.0).job.state is JobState.CANCELLED


JOBS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "scale", "gone"]), st.sampled_from([JobState.QUEUED, JobState.RUNNING, *ENDS])
    ),
    max_size=12,
).map(lambda rows: [job(n, operation=name, state=state) for n, (name, state) in enumerate(rows)])
TABLE = {
    "a": Operation(name="a", playbook="/a.yml", concurrency=1, group="web"),
    "b": Operation(name="b", playbook="/b.yml", concurrency=2, group="web"),
    "c": Operation(name="c", playbook="/c.yml", concurrency=3),
    "scale": Operation(name="scale"),
}


def lane(one: Job) -> str:
    return TABLE[one.operation].lane if one.operation in TABLE else one.operation


@given(JOBS, st.integers(0, 5))
def test_no_group_runs_more_than_it_may_and_nobody_overtakes(jobs: list[Job], room: int) -> None:
    found = startable(jobs, TABLE, room)
    running = [one for one in jobs if one.state is JobState.RUNNING]
    assert all(one.state is JobState.QUEUED for one in found)
    played = [one for one in found if one.operation != "scale"]
    assert not played or len(running) + len(played) <= room
    for name in {lane(one) for one in found}:
        together = [one for one in [*running, *found] if lane(one) == name]
        assert len(together) <= min(
            TABLE[one.operation].concurrency if one.operation in TABLE else 1 for one in together
        )
        queued = [one.id for one in jobs if one.state is JobState.QUEUED and lane(one) == name]
        mine = [one.id for one in found if lane(one) == name]
        assert mine == queued[: len(mine)]


@given(JOBS)
def test_with_room_something_always_goes_on(jobs: list[Job]) -> None:
    """Where nothing runs and something waits, something is started: no order of jobs stands still."""
    idle = [one for one in jobs if one.state is not JobState.RUNNING]
    waiting = any(one.state is JobState.QUEUED for one in idle)
    assert bool(startable(idle, TABLE, 1)) == waiting


@given(JOBS, st.integers(0, 6), st.integers(0, 50))
def test_history_keeps_the_newest_and_whatever_is_open(jobs: list[Job], keep: int, most: int) -> None:
    logs = [(one.id, 10) for one in jobs]
    forget = forgettable(jobs, keep, logs, most)
    state = {one.id: one.state for one in jobs}
    assert all(state[one] not in OPEN for one in (*forget.jobs, *forget.logs))
    left = [one.id for one in jobs if one.state in ENDS and one.id not in forget.jobs]
    assert len(left) <= max(keep, 0)
    assert all(gone < kept for gone in forget.jobs for kept in left)
    kept_bytes = 10 * (len(jobs) - len(set(forget.logs) | set(forget.jobs)))
    assert kept_bytes <= most or all(state[one] in OPEN for one in state if one not in {*forget.logs, *forget.jobs})
