"""``/v1/council/members``: who carries the colony, as the queen saw it last."""

from __future__ import annotations

import httpx

from aware_agent.colony.node import EtcdReport
from aware_agent.colony.seats import CouncilRecord, Seat
from aware_agent.colony.spec import CouncilSpec, Spec
from tests.gateway.memory import COLONY, MemoryContext
from tests.memory_colony import node_id


async def test_without_a_council_in_the_spec_there_is_nothing_to_tell(admin: httpx.AsyncClient) -> None:
    document = (await admin.get("/v1/council/members")).json()
    assert (document["wanted"], document["members"], document["trouble"]) == (None, [], "")
    assert document["moving"] is None


async def test_members_and_what_goes_on(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    context.put(context.keys.key("spec"), Spec(colony=COLONY, size=5, council=CouncilSpec(size=3)))
    seat = Seat(
        member=2**63 + 1, node="01HF7YAT00041061050R3GG28A", name="demo-1", endpoint="192.0.2.1:2379", leads=True
    )
    record = CouncilRecord(seats=(seat,), message="n2 starts its etcd", trouble="")
    context.put(context.keys.key("council"), record)
    document = (await admin.get("/v1/council/members")).json()
    assert document["wanted"] == {"size": 3}
    assert document["members"][0]["name"] == "demo-1"
    assert document["members"][0]["leads"] is True
    assert document["message"] == "n2 starts its etcd"


def sits(context: MemoryContext) -> None:
    """demo-1 to demo-3 have seats, demo-4 could have one."""
    context.put(context.keys.key("spec"), Spec(colony=COLONY, size=5, council=CouncilSpec(size=3)))
    seats = tuple(Seat(member=number, node=node_id(number), name=f"demo-{number + 1}") for number in range(3))
    context.put(context.keys.key("council"), CouncilRecord(seats=seats))
    etcd = EtcdReport(version="3.5.16", client_url="https://127.0.0.1:1", peer_url="https://127.0.0.1:2", free_mib=9000)
    context.add_node(3, etcd=etcd)


async def test_a_seat_is_moved_to_whom_the_queen_chooses_or_the_admin_names(
    admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    sits(context)
    answer = await admin.post("/v1/council/move", json={"from": "demo-2"})
    assert answer.status_code == 202
    moving = {"from": {"id": node_id(1), "name": "demo-2"}, "to": {"id": node_id(3), "name": "demo-4"}}
    assert answer.json() == moving
    assert (await admin.get("/v1/council/members")).json()["moving"] == moving
    context.delete(context.keys.key("council-move"))
    headers = {"idempotency-key": "once"}
    for replayed in (None, "true"):
        body = {"from": node_id(1), "to": "demo-4"}
        answer = await admin.post("/v1/council/move", json=body, headers=headers)
        assert answer.json() == moving
        assert answer.headers.get("idempotency-replayed") == replayed


async def test_a_move_that_cannot_be_is_refused_in_one_sentence(
    admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    sits(context)
    for body, status, said in (
        ({"from": "demo-9"}, 404, "there is no node 'demo-9'"),
        ({"from": "demo-2", "to": "demo-9"}, 404, "there is no node 'demo-9'"),
        ({"from": "demo-4"}, 409, "demo-4 has no seat in the council"),
        ({"from": "demo-1"}, 409, "demo-1 reigns, and the queen keeps her seat"),
        ({"from": "demo-2", "to": "demo-3"}, 409, "demo-3 has a seat already"),
        ({"from": "demo-2", "to": "demo-5"}, 409, "it cannot take the seat: demo-5 has no etcd that can be used"),
        ({"to": "demo-4"}, 422, "request body: from is missing"),
    ):
        answer = await admin.post("/v1/council/move", json=body)
        assert (answer.status_code, answer.json()["detail"]) == (status, said)
    assert (await admin.post("/v1/council/move", json={"from": "demo-2"})).status_code == 202
    again = await admin.post("/v1/council/move", json={"from": "demo-3"})
    assert (again.status_code, again.json()["hint"]) == (409, "aware council list")


async def test_nobody_without_a_login_reads_it(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/v1/council/members")).status_code == 401
