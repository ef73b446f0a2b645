"""Who is alive: what the queen concludes from presence keys, and when."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aware_agent.colony.away import Away
from aware_agent.colony.node import Record, Report, Status


class Verdict(msgspec.Struct, frozen=True):
    """A node's record has to change: to ``status``, with ``report`` as last known. ``told``: history says so."""

    node: str
    status: Status
    report: Report | None
    message: str
    changed_status: bool
    away: Away | None = None
    told: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """Verdicts of now, and the Unix time at which to judge again though nothing happened."""

    verdicts: tuple[Verdict, ...]
    again_at: float | None


def judge(
    records: Mapping[str, Record],
    presence: Mapping[str, Report],
    now: float,
    dead_after_s: float,
    expected: Mapping[str, float] | None = None,
) -> Judgement:
    """Compare what is recorded with who is present. ``now`` is Unix time in seconds.

    Nodes that are ``expected`` back, each until its time, are away because somebody ordered it: they are not missed.
    Who was sent away is not missed either, and stays away when it shows up, until its deadline.
    Presence without a record is nobody's node (removed, or not yet joined) and is left alone.
    """
    verdicts = []
    deadlines = []
    for node, record in records.items():
        back_by = (expected or {}).get(node, 0.0)
        report = presence.get(node)
        if back_by > now and record.status is Status.READY and (report is None or report.leaving):
            deadlines.append(back_by)
            continue
        verdict = _judge_one(record, presence.get(node), now, dead_after_s)
        if verdict:
            verdicts.append(verdict)
        status = verdict.status if verdict else record.status
        if status is Status.SUSPECT:
            since = now if verdict else record.status_since
            deadlines.append(since + dead_after_s)
        if status is Status.AWAY and record.away and record.away.until is not None:
            deadlines.append(record.away.until)
    return Judgement(tuple(verdicts), min(deadlines, default=None))


def send_away(record: Record, away: Away, now: float) -> Record:
    """``record`` of a node that is away from ``now`` on, or still, for another reason or time."""
    if record.away is not None:
        return msgspec.structs.replace(record, away=away)
    return msgspec.structs.replace(record, away=away, status=Status.AWAY, status_since=now)


def bring_back(record: Record, now: float) -> Record:
    """``record`` of a node that is expected to answer again: silent from ``now`` on, unless it does."""
    if record.away is None:
        return record
    status = Status.READY if record.away.here else Status.SUSPECT
    return msgspec.structs.replace(record, away=None, status=status, status_since=now)


def was_here(record: Record) -> bool:
    """Whether the node showed its presence when its record was written, sent away or not."""
    return record.away.here if record.away else record.status is Status.READY


def _judge_one(record: Record, report: Report | None, now: float, dead_after_s: float) -> Verdict | None:
    if record.away is not None:
        return _judge_away(record, record.away, report, now)
    if report is not None and report.leaving:
        return _changed(record, Status.LEFT, report, f"{record.name} said good-bye")
    if report is not None:
        sentence = f"{record.name} is ready" if record.status is not Status.READY else f"{record.name} reports anew"
        return _changed(record, Status.READY, report, sentence)
    if record.status in (Status.READY, Status.AWAY):
        return _changed(record, Status.SUSPECT, record.report, f"{record.name} is silent")
    if record.status is Status.SUSPECT and now >= record.status_since + dead_after_s:
        return _changed(
            record,
            Status.DEAD,
            record.report,
            f"{record.name} is dead: silent for {now - record.status_since:.0f} s",
        )
    return None


def _judge_away(record: Record, away: Away, report: Report | None, now: float) -> Verdict | None:
    here = report is not None and not report.leaving
    known = report or record.report
    if away.until is not None and now >= away.until:
        after = Status.READY if here else Status.SUSPECT
        sentence = "is back" if here else "was to be back by now and is silent"
        return Verdict(record.id, after, known, f"{record.name} {sentence}", True)
    if here == away.here and known == record.report:
        return None
    sentence = (
        f"{record.name} answers and stays away: aware nodes back {record.name}"
        if here
        else f"{record.name} is silent, as it is away"
    )
    changed = msgspec.structs.replace(away, here=here)
    return Verdict(record.id, Status.AWAY, known, sentence, False, changed, told=here != away.here)


def _changed(record: Record, status: Status, report: Report | None, sentence: str) -> Verdict | None:
    if record.status is status and record.report == report:
        return None
    return Verdict(record.id, status, report, sentence, record.status is not status)
