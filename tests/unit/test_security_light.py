"""A running worker must not carry what only founding, joining and signing need."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("cryptography", "jwt", "fastapi", "openstack", "jinja2", "httpx")


@pytest.mark.parametrize(
    "module",
    [
        "aware_agent.agent.state",
        "aware_agent.agent.join",
        "aware_agent.agent.material",
        "aware_agent.agent.found",
        "aware_agent.security.jwt",
        "aware_agent.security.joining",
        "aware_agent.security.password",
        "aware_agent.security.pki",
        "aware_agent.security.sealed",
        "aware_agent.security.token",
    ],
)
def test_importing_costs_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
