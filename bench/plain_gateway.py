"""The gateway application over plain HTTP, in a process of its own: real application, real mirror of etcd.

A gateway serves TLS; without it, what the application itself costs is easier to compare with a bare one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from aware_agent.agent.member.etcd_access import council_access
from aware_agent.agent.member.link import VERSION, Facts, Material, Start
from aware_agent.agent.settings import GatewaySettings, LogSettings, PasswordSettings
from aware_agent.agent.state import StateDir
from aware_agent.gateway.agent_link import AgentLink
from aware_agent.gateway.app import create_gateway
from aware_agent.gateway.member import Member, credentials
from aware_agent.gateway.server import GatewayServer
from aware_agent.security.jwt import token_key
from aware_agent.security.providers import provider_keys
from aware_agent.security.signed_url import signing_keys
from aware_agent.store.client import EtcdClient
from bench.lab import ADDRESS, ROOT, UNLIMITED, Lab
from bench.processes import Process, clean_environment


def plain_gateway(lab: Lab, port: int) -> Process:
    """The process; it reads the colony of ``lab`` with the founder's state."""
    state = next(iter(lab.agents.values())).state_dir
    argv = [sys.executable, "-m", "bench.plain_gateway", "--state", str(state), "--port", str(port)]
    return Process(argv, lab.directory / f"plain{port}.log", cwd=ROOT, env=clean_environment())


class _Silent(AgentLink):
    """No agent is beside this gateway."""

    async def facts(self) -> Facts | None:
        """How it is: unknown."""
        return None


async def _serve(state_dir: Path, port: int) -> None:
    state = StateDir(state_dir).load()
    if state is None:
        raise SystemExit(f"{state_dir} is no member's state")
    secret, colony = state.membership.secret, state.membership.colony
    start = Start(
        version=VERSION,
        colony=colony,
        node=state.identity.id,
        name=state.identity.name,
        socket="",
        listener=-1,
        endpoints=state.membership.etcd,
        gateway=GatewaySettings(**UNLIMITED),
        log=LogSettings(),
        passwords=PasswordSettings(),
        material=Material(
            ca=state.ca,
            council_ca=council_access(state).ca,
            tls_certificate=state.certificate,
            tls_key=state.key,
            etcd_certificate=council_access(state).certificate,
            etcd_key=state.key,
            token_keys=(token_key(colony, secret),),
            url_keys=(dict(signing_keys(secret)),),
            provider_keys=provider_keys(secret),
        ),
    )
    async with EtcdClient(start.endpoints, credentials(start.material)) as client:
        member = Member(client, start, _Silent(Path()))
        app = create_gateway(member, start.gateway)
        await GatewayServer(app, ADDRESS, port, at_once=app.at_once).start()
        await member.run()


def _main() -> None:
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.state, options.port))


if __name__ == "__main__":
    _main()
