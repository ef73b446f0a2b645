"""How much one party may write, by kind, and how many records of a kind there may be."""

from __future__ import annotations

import pytest

from aware_agent.agent.settings import QuotaSettings
from aware_agent.colony.quota import Quotas, QuotaSpent, TooManyRecords, WriteKind, require_room
from aware_agent.colony.rates import Rate
from aware_agent.queen.commands import ANSWERS, AnyCommand
from aware_agent.queen.dispatch import KINDS

# Reads; what only ends something; and what is counted once it is proved whose it is.
FREE = {
    "ReadChannel", "ReadCheck", "ReportRotation",
    "EndSession", "EndSessions", "RevokeAccess", "RevokeToken", "DeleteUser", "RemoveNode", "EndCheck",
    "DeleteProvider", "DeleteSecret", "CancelJob",
    "DeleteServiceAccount", "RevokeServiceToken", "BringBack",
    "RemoveWebhook", "DropDead",
    "Join", "Renew",
    "NoteIntrusion",  # a gateway's own, once a minute
    "NoteUses",  # the same; written once an hour
}  # fmt: skip


def test_a_budget_is_of_one_party_and_one_kind() -> None:
    quotas = Quotas({WriteKind.CHANGE: Rate(1.0, 3.0), WriteKind.CREATE: Rate(1.0, 1.0)})
    for _ in range(3):
        quotas.spend(WriteKind.CHANGE, "otto", 10.0)
    with pytest.raises(QuotaSpent, match="too many changes by otto") as caught:
        quotas.spend(WriteKind.CHANGE, "otto", 10.0)
    assert (caught.value.status, caught.value.retry_after) == (429, 1)
    quotas.spend(WriteKind.CREATE, "otto", 10.0)
    quotas.spend(WriteKind.CHANGE, "ada", 10.0)
    quotas.spend(WriteKind.CHANGE, "otto", 11.0)
    for _ in range(1000):
        quotas.spend(WriteKind.NODE, "otto", 11.0)


def test_every_command_is_counted_or_said_to_be_free() -> None:
    every = set(AnyCommand.__args__)  # type: ignore[attr-defined]
    assert set(ANSWERS) <= every
    assert {kind.__name__ for kind in every - set(KINDS)} == FREE
    assert set(KINDS.values()) <= set(QuotaSettings().rates())


def test_settings_say_how_much() -> None:
    rates = QuotaSettings(changes_per_minute=60.0, burst_minutes=2.0).rates()
    assert rates[WriteKind.CHANGE] == Rate(1.0, 120.0)


def test_of_each_kind_of_record_there_are_so_many() -> None:
    require_room("users", 999, 1000, "delete some")
    with pytest.raises(TooManyRecords, match="at most 1000") as caught:
        require_room("users", 1000, 1000, "delete some")
    assert caught.value.status == 409
