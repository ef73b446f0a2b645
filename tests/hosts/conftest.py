"""Fixtures of the tests on real hosts (docs/testing-hosts.md)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hosts_support import HostsLab, lab_name, running_lab, why_not


@pytest.fixture(scope="session")
def hosts_possible() -> None:
    """Skips, with the reason, where there can be no lab."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lab(hosts_possible: None, request: pytest.FixtureRequest) -> Iterator[HostsLab]:
    """A lab of the module's own: ``HOSTS = 5``, ``LAB_SUITE = "bookworm"``, ``LAB_PROFILE = "hardened"`` change it."""
    count = getattr(request.module, "HOSTS", 3)
    suite = getattr(request.module, "LAB_SUITE", os.environ.get("LAB_SUITE", "trixie"))
    profile = getattr(request.module, "LAB_PROFILE", os.environ.get("LAB_PROFILE", "plain"))
    with running_lab(lab_name(), count, LAB_SUITE=suite, LAB_PROFILE=profile) as made:
        yield made
