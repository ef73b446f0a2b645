"""``/v1/election``: a member explains its own part, to viewers, and while nobody reigns as well."""

from __future__ import annotations

import httpx

from aware_agent.agent.explanation import Explanation
from aware_agent.colony.decoding import from_json
from aware_agent.security.roles import Role
from aware_agent.simulator.replay import difference
from aware_agent.store.health import StoreState, Trouble
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext, node_id


async def test_a_member_tells_its_own_state_and_it_replays(
    context: MemoryContext, anonymous: httpx.AsyncClient, as_: As
) -> None:
    answer = await anonymous.get("/v1/election", headers=as_(Role.VIEWER))
    assert answer.status_code == 200
    told = from_json(answer.content, Explanation)
    assert (told.node, told.phase) == (context.me, "campaigning")
    assert told.sentences
    assert difference(told.transcript) == ""


async def test_a_member_that_does_not_reign_answers_for_itself_too(
    context: MemoryContext, admin: httpx.AsyncClient
) -> None:
    context.memory.begin_reign(1)
    answer = await admin.get("/v1/election")
    assert (answer.status_code, answer.json()["node"]) == (200, node_id(0)), "no redirect: each answers for itself"


async def test_it_is_told_while_nobody_reigns_and_etcd_has_no_majority(
    context: MemoryContext, admin: httpx.AsyncClient
) -> None:
    context.delete(context.keys.queen)
    context.store_state = StoreState(looked=True, reachable=True, quorum=False, trouble=Trouble.NO_QUORUM)
    assert (await admin.get("/v1/queen")).status_code == 503
    assert (await admin.get("/v1/election")).status_code == 200


async def test_an_agent_that_hangs_is_named_as_the_reason(context: MemoryContext, admin: httpx.AsyncClient) -> None:
    context.agent_hangs = True
    answer = await admin.get("/v1/election")
    assert (answer.status_code, answer.json()["code"]) == (503, "agent-hangs")
    assert "write" not in answer.json()["detail"]
