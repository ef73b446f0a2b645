"""Every operation of the OpenAPI document, tried with what it allows and with what it does not: the gateway answers as
it is described, and nothing of it breaks it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.gateway.examples import PATHS
from aware_agent.gateway.hub import STOPPED
from aware_agent.gateway.server import GatewayServer
from tests.gateway.memory import MemoryContext

ROOT = Path(__file__).resolve().parents[2]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
# Random values find something new now and then: they are for make test-schema. What a schema says of its values and of
# their bounds is tried one after the other, always the same.
EXAMPLES = os.environ.get("AWARE_SCHEMA_EXAMPLES", "")
PHASES = "examples,coverage" + (",fuzzing" if EXAMPLES else "")
LIMIT_S = 3000.0


async def _keep_going(app: GatewayApp, context: MemoryContext) -> None:
    """A stream has no end of its own, and whoever tries it waits for one; and what was removed is tried once more."""
    while True:
        webhook = PATHS["webhook_id"]
        if context.projection.get(context.keys.key("webhook-dead", webhook, PATHS["event_id"])) is None:
            context.add_webhook(webhook, letters=[PATHS["event_id"]])
        await asyncio.sleep(0.1)
        for subscriber in tuple(app.gateway.hub._subscribers):
            subscriber.stop(STOPPED, "the test goes on")


def _looked_at(app: GatewayApp) -> None:
    """That it was let in, and that not everything it tried was refused."""
    counts = app.gateway.public.requests.counts
    answered = {resource for resource, status in counts if status < 300}
    paths = set(app._inner._inner.openapi()["paths"])
    assert len(paths & answered) > len(paths) * 0.75, sorted(paths - answered)


async def test_the_gateway_answers_as_it_is_described() -> None:
    context = MemoryContext()
    app = create_gateway(context)
    server = GatewayServer(app, "127.0.0.1", 0, grace_s=1.0)
    await server.start()
    ending = asyncio.create_task(_keep_going(app, context))
    arguments = [
        "--config-file", str(Path(__file__).with_name("schemathesis.toml")),
        "run", f"http://127.0.0.1:{server.port}/openapi.json", "--checks", ",".join(CHECKS), "--seed", "1",
        "--phases", PHASES, "--max-examples", EXAMPLES or "1", "--request-timeout", "60",
        "--no-shrink", "--continue-on-failure", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.hostile.schema_hooks", "PYTHONPATH": str(ROOT)}
    try:
        trying = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", *arguments, cwd=ROOT, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(LIMIT_S):
            said, _ = await trying.communicate()
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await server.stop()
    _looked_at(app)
    assert trying.returncode == 0, said.decode(errors="replace")[-20_000:]
