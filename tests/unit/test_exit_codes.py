"""Which ends of an agent the service manager leaves alone: those that only a person can mend."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aware_agent.agent.parts import IdentityInUse, Removed
from aware_agent.agent.renewal import CertificateExpired
from aware_agent.agent.settings import SettingsInvalid
from aware_agent.colony.addresses import AddressRefused
from aware_agent.colony.errors import AddressMissing, AwareError, InvalidInput, PortInUse
from aware_agent.discovery.errors import ClockSkew, NoColonyFound
from aware_agent.security.files import DiskFull, StateCorrupted
from aware_agent.security.joining import CaPinMismatch, JoinFailed, KeyDenied, NameTaken
from aware_agent.security.token import TokenRefused
from aware_agent.store.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]
UNITS = (
    "collections/ansible_collections/aware/cluster/roles/agent/templates/agent.service.j2",
    "deploy/heat/bootstrap.sh",
)


def stays_ended(unit: str) -> set[int]:
    """Exit codes after which that unit is not started again."""
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.+)$", (ROOT / unit).read_text(), re.MULTILINE)
    return set(map(int, codes.split()))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "error",
    [InvalidInput, SettingsInvalid, StateCorrupted, TokenRefused, CaPinMismatch, Removed, KeyDenied, IdentityInUse],
)
def test_what_a_person_must_change_stays_ended(unit: str, error: type[AwareError]) -> None:
    assert error.exit_code in stays_ended(unit)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "error",
    [
        AddressMissing,  # the network may come up later than the agent
        PortInUse,
        AddressRefused,  # the node that has it may go
        NameTaken,  # and so may the one of that name
        NoColonyFound,
        JoinFailed,
        ClockSkew,
        StoreError,
        DiskFull,
        CertificateExpired,
    ],
)
def test_what_time_may_mend_is_tried_again(unit: str, error: type[AwareError]) -> None:
    assert error.exit_code not in stays_ended(unit) | {0}


def test_both_ways_to_install_an_agent_agree() -> None:
    first, second = map(stays_ended, UNITS)
    assert first == second
