"""Agents stay small: what only a queen, a newcomer, a worker or a controller needs is not loaded by the others."""

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
    "opentelemetry",
    "requests",
)
# What dependencies import and a node never uses; see aware_agent.postponed.
NEVER = ("click", "multiprocessing", "uvicorn.main", "logging.handlers", "http.client", "importlib.metadata._text")
SERVING = ("uvicorn", "websockets", "httptools")


def modules_after(code: str) -> set[str]:
    """Names of all modules there are in a fresh interpreter when ``code`` has run."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    names: list[str] = json.loads(done.stdout)
    return set(names)


def packages(names: set[str]) -> set[str]:
    """Top-level names."""
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "module",
    ["aware_agent.daemon", "aware_agent.agent.worker", "aware_agent.agent.renewal", "aware_agent.gateway.worker"],
)
def test_a_worker_loads_nothing_heavy(module: str) -> None:
    """Import the module in a fresh interpreter and look what came along."""
    loaded = packages(modules_after(f"import {module}"))
    assert "msgspec" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_a_whole_worker_loads_nothing_it_never_uses() -> None:
    """All that the daemon imports for one, in its order: what serves, and nothing of what that would bring along."""
    parts = ("daemon", "agent.renewal", "agent.worker", "gateway.server", "gateway.worker", "loop")
    names = modules_after("".join(f"import aware_agent.{part}\n" for part in parts))
    assert set(SERVING) <= packages(names) | {"uvicorn"}
    assert "uvicorn.server" in names
    assert names.isdisjoint(NEVER)
    assert packages(names).isdisjoint((*HEAVY, "multiprocessing"))


def test_a_worker_knows_nothing_of_joining_and_signing() -> None:
    names = modules_after("import aware_agent.daemon, aware_agent.agent.worker, aware_agent.gateway.worker")
    its_own = {"aware_agent.agent.join", "aware_agent.agent.join_client", "aware_agent.agent.renew"}
    of_queens = {"aware_agent.colony.view", "aware_agent.colony.spec", "aware_agent.colony.election"}
    assert names.isdisjoint(its_own | of_queens | {"aware_agent.security.pki", "aware_agent.security.joining"})


def test_a_newcomer_loads_no_server_and_no_channels() -> None:
    """It is a process of its own, which ends with the join."""
    names = modules_after("import aware_agent.daemon, aware_agent.agent.join, aware_agent.discovery.seek")
    assert packages(names).isdisjoint(SERVING)
    assert "aware_agent.agent.worker" not in names


@pytest.mark.parametrize("program", ["gateway.process", "queen.reigns", "queen.jobs.process", "cli.main", "cli.client"])
def test_nobody_loads_what_exports_traces_but_who_exports_them(program: str) -> None:
    """The gateway, a queen, a job's process and the command line, where no collector is named."""
    code = f"import aware_agent.{program}\n"
    if program == "cli.main":
        code += "import sys; sys.argv = ['aware', 'completion', 'show', 'bash']\nimport os\n"
        code += "from contextlib import redirect_stdout\n"
        code += "with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):\n"
        code += "    try: aware_agent.cli.main.main()\n    except SystemExit: pass\n"
    names = modules_after(code)
    assert names.isdisjoint({"opentelemetry.sdk", "opentelemetry.exporter", "requests"})
    if program != "gateway.process":  # FastAPI takes the interface along, which does nothing
        assert "opentelemetry" not in names
