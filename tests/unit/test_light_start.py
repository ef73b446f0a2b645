"""A worker stays small: what only a queen, a newcomer or a controller needs is not loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ETCD = ("grpc", "google", "aetcd")
HEAVY = (
    *ETCD,
    "fastapi",
    "starlette",
    "pydantic",
    "jwt",
    "cryptography",
    "jinja2",
    "openstack",
    "ansible",
    "typer",
    "httpx",
)


@pytest.mark.parametrize(
    "module",
    ["aware_agent.daemon", "aware_agent.agent.worker", "aware_agent.agent.renewal", "aware_agent.gateway.worker"],
)
def test_a_worker_loads_nothing_heavy(module: str) -> None:
    """Import the module in a fresh interpreter and look what came along."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "msgspec" in loaded
    assert loaded.isdisjoint(HEAVY)
