"""Timings that could not work are refused, with the field and what to write instead."""

from __future__ import annotations

import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.timing import Timing, check_timing


@pytest.mark.parametrize(
    "timing",
    [
        Timing(),
        Timing(queen_ttl_s=2),
        Timing(queen_ttl_s=30, margin_s=10),
        Timing(handover_hold_s=3, abstain_s=3),
        Timing(suspect_after_s=0),
        Timing(heartbeat_s=1, suspect_after_s=3),
    ],
)
def test_good(timing: Timing) -> None:
    check_timing(timing)


@pytest.mark.parametrize(
    ("timing", "field"),
    [
        (Timing(queen_ttl_s=1), "timing.queen_ttl_s"),
        (Timing(presence_ttl_s=1), "timing.presence_ttl_s"),
        (Timing(margin_s=0.29), "timing.margin_s"),
        (Timing(margin_s=1.01), "timing.margin_s"),
        (Timing(rank_step_s=0), "timing.rank_step_s"),
        (Timing(retry_s=0), "timing.rank_step_s"),
        (Timing(handover_hold_s=-1), "timing.abstain_s"),
        (Timing(abstain_s=0.5), "timing.abstain_s"),
        (Timing(heartbeat_s=0), "timing.heartbeat_s"),
        (Timing(heartbeat_s=0.5), "timing.suspect_after_s"),
        (Timing(suspect_after_s=4), "timing.suspect_after_s"),
        (Timing(suspect_after_s=-1), "timing.suspect_after_s"),
    ],
)
def test_bad(timing: Timing, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_timing(timing)
    assert caught.value.field == field
    assert caught.value.exit_code == 2
