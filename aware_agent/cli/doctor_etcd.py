"""etcd as a council member sees it: its releases, and how long a read that a majority confirms takes."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState
from aware_agent.cli.doctor_run import Skip
from aware_agent.colony import judging_colony as judge
from aware_agent.colony.finding import Said, doubtful, fine, wrong
from aware_agent.store.errors import StoreError, UnsupportedEtcd
from aware_agent.store.version import gate

READS = 20
READ_LIMIT_S = 4.0
ASK_S = 2.0


class Member(NamedTuple):
    """One member: its release, or why it tells none."""

    endpoint: str
    version: str
    trouble: str


def etcd_findings(settings: Settings, state: NodeState) -> list[Said]:
    """One finding for each member that is not as it should be, and one for reads. Raises Skip for a worker."""
    if state.council is None:
        raise Skip("a worker has nothing to do with etcd")
    endpoints = settings.store.endpoints or state.membership.etcd
    members, times = asyncio.run(_ask(endpoints, settings.colony, state))
    said = [one for member in members if (one := _release(member, production=settings.store.production)).to_do]
    releases = sorted({member.version for member in members if member.version})
    if not said:
        said = [fine(f"{len(members)} members of etcd answer, of version {', '.join(releases)}")]
    elif len(releases) > 1:
        said.append(doubtful(f"etcd runs in versions {', '.join(releases)}", "bring all members to one"))
    return [*said, judge.reads(times, ", ".join(endpoints[:3]))]


def _release(member: Member, *, production: bool) -> Said:
    if member.trouble:
        return wrong(
            f"etcd {member.endpoint} does not answer: {member.trouble}", "start it: aware council list says which"
        )
    try:
        warnings = gate(member.version, production)
    except UnsupportedEtcd as error:
        return wrong(error.message, error.hint)
    if warnings:
        return doubtful(warnings[0], "install etcd 3.5.16 or newer")
    return fine(f"etcd {member.endpoint} is of version {member.version}")


async def _ask(endpoints: tuple[str, ...], colony: str, state: NodeState) -> tuple[list[Member], list[float]]:
    from aware_agent.agent.member.etcd_access import etcd_credentials
    from aware_agent.store.client import EtcdClient
    from aware_agent.store.keys import Keys

    credentials = etcd_credentials(state)

    async def member(endpoint: str) -> Member:
        try:
            async with EtcdClient([endpoint], credentials, deadline_s=ASK_S) as client:
                return Member(endpoint, (await client.status()).version, "")
        except StoreError as error:
            return Member(endpoint, "", error.message)

    members = list(await asyncio.gather(*map(member, endpoints)))
    times: list[float] = []
    end = time.monotonic() + READ_LIMIT_S
    key = Keys(colony).key("spec")
    try:
        async with EtcdClient(endpoints, credentials, deadline_s=ASK_S) as client:
            await client.get(key)  # connects
            while len(times) < READS and time.monotonic() < end:
                began = time.monotonic()
                await client.get(key)
                times.append(time.monotonic() - began)
    except StoreError:
        pass  # the members have told why
    return members, times
