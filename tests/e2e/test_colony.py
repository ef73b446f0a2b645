"""A whole colony as processes: forms by itself, survives its queen, loses nothing it acknowledged."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl

import msgspec
import pytest

from aware_agent.colony.event import Event
from aware_agent.colony.spec import CasteSpec, Spec
from bench.client import Answer, Connection
from bench.lab import Lab
from tests.e2e.writer import Acknowledged, write_until

pytestmark = pytest.mark.e2e

WISH = Spec(colony="lab", size=5, castes={"web": CasteSpec(count=2), "store": CasteSpec(count=1)})


async def inventory(lab: Lab) -> dict[str, object]:
    """The inventory document without what changes with every reign."""
    document = (await lab.ask("GET", "/v1/inventory")).json()
    return {"hosts": sorted(document["hosts"]), "complete": document["complete"]}


async def test_five_nodes_form_a_colony_with_castes_and_one_queen() -> None:
    """Nodes started with nothing but colony name and join token find the others by broadcast and serve castes."""
    async with Lab(5, spec=WISH) as lab:
        cluster = await lab.form()
        assert cluster["size"]["ready"] == 5
        assert {c["name"]: len(c["assigned"]) for c in cluster["castes"]} == {"web": 2, "store": 1}
        nodes = (await lab.ask("GET", "/v1/nodes")).json()["nodes"]
        assert [n["role"] for n in nodes].count("queen") == 1
        assert {n["origin"] for n in nodes if n["name"] != "lab-1"} == {"broadcast"}
        groups = (await lab.ask("GET", "/v1/inventory")).json()["groups"]
        assert len(groups["web"]) == 2
        assert len(groups["store"]) == 1
        assert len(groups["spare"]) == 2
        assert len(groups["aware_queen"]) == 1


async def test_killed_queens_lose_nothing_that_was_acknowledged() -> None:
    """kill -9 of two queens under a fenced writer: terms grow, every acknowledged write was really made, in order."""
    async with Lab(5, spec=WISH) as lab:
        await lab.form()
        before = await inventory(lab)
        target = (await lab.ask("GET", "/v1/nodes")).json()["nodes"][-1]["id"]
        stop = asyncio.Event()
        written = Acknowledged()
        writer = asyncio.create_task(write_until(lab, target, stop, written=written))
        terms = []
        for _ in range(2):
            queen = await lab.queen()
            terms.append(queen["term"])
            await written.acknowledged_under(queen["term"])
            lab.agent(queen["name"]).kill()
            successor = await lab.new_queen(queen["term"])
            assert successor["name"] != queen["name"]
            assert await inventory(lab) == before
        terms.append((await lab.queen())["term"])
        await written.acknowledged_under(terms[-1])
        stop.set()
        await writer
        assert terms == sorted(set(terms)), written.refused
        assert written.acknowledged, written.refused[:3]
        await _check_acknowledged(lab, target, written.acknowledged)
        assert len({term for _, _, term in written.acknowledged}) == 3, "the writer wrote under all three queens"


async def _check_acknowledged(lab: Lab, target: str, acknowledged: list[tuple[int, int, int]]) -> None:
    """Read each acknowledged revision from etcd's own history and compare."""
    assert acknowledged
    revisions = [revision for _, revision, _ in acknowledged]
    assert revisions == sorted(set(revisions))
    async with lab.etcd_client() as etcd:
        for number, revision, _ in acknowledged:
            kv = await etcd.get(lab.keys.key("config", target), revision=revision)
            assert kv is not None
            assert json.loads(kv.value)["vars"]["number"] == number


async def test_events_resume_across_queens_without_gap_or_repetition() -> None:
    """What a reader collects page by page from two queens is exactly etcd's history."""
    async with Lab(3) as lab:
        await lab.form()
        first = (await lab.ask("GET", "/v1/events?since=0&limit=3")).json()["events"]
        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        await lab.new_queen(queen["term"])
        seen = list(first)
        while page := (await lab.ask("GET", f"/v1/events?since={seen[-1]['revision']}&limit=4")).json()["events"]:
            seen += page
        async with lab.etcd_client() as etcd:
            start, end = lab.keys.key("events/"), lab.keys.key("events0")
            stored = {
                kv.mod_revision: msgspec.json.decode(kv.value, type=Event)
                for kv in (await etcd.range(start, end)).kvs
                if kv.mod_revision <= seen[-1]["revision"]
            }
        assert {event["id"] for event in seen} >= {event.id for event in stored.values()}
        assert len({event["id"] for event in seen}) == len(seen)
        elected = [event for event in seen if event["type"] == "queen.elected"]
        assert [event["term"] for event in elected] == [event["revision"] for event in elected]


async def test_a_write_that_is_repeated_at_the_next_queen_is_done_once() -> None:
    """A client whose answer was lost with the queen asks again under the same key, and gets the same token."""
    async with Lab(3) as lab:
        await lab.form()
        admin, queen = await lab.admin(), await lab.queen()
        key = {"idempotency-key": "order 17"}
        first = (await admin.call("POST", "/v1/tokens", {"uses": 1}, headers=key)).json()
        lab.agent(queen["name"]).kill()
        await lab.new_queen(queen["term"])
        again = await admin.call("POST", "/v1/tokens", {"uses": 1}, headers=key, deadline_s=30.0)
        assert (again.status, again.json()) == (201, first)
        assert again.headers["idempotency-replayed"] == "true"
        assert [t["id"] for t in (await lab.ask("GET", "/v1/tokens")).json()["tokens"]].count(first["id"]) == 1
        other = await admin.call("POST", "/v1/tokens", {"uses": 2}, headers=key, deadline_s=30.0)
        assert other.status == 409


async def test_handover_by_transfer_and_by_shutdown() -> None:
    """A named successor reigns next; a queen that is stopped hands over to the heir; both keep the inventory.

    The others leave it to her for a bounded time; on a starved machine the usual second may not do.
    """
    async with Lab(3, settings={"timing": {"handover_hold_s": 20.0, "abstain_s": 20.0}}) as lab:
        await lab.form()
        queen = await lab.queen()
        nodes = (await lab.ask("GET", "/v1/nodes")).json()["nodes"]
        last = max((n for n in nodes if n["rank"] is not None), key=lambda n: n["rank"])
        answer = await lab.ask("POST", "/v1/queen/transfer", {"node": last["name"]})
        assert answer.status == 202
        chosen = await lab.new_queen(queen["term"])
        assert chosen["name"] == last["name"]
        assert lab.agent(chosen["name"]).stop() == 0
        third = await lab.new_queen(chosen["term"])
        assert third["name"] != chosen["name"]
        kinds = [e["type"] for e in (await lab.ask("GET", "/v1/events?since=0")).json()["events"]]
        assert kinds.count("queen.stepped-down") == 2
        for _ in range(1200):  # the new queen answers before her first look at who is there
            left = (await lab.ask("GET", f"/v1/nodes/{chosen['name']}")).json()
            if left["status"] != "ready":
                break
            await asyncio.sleep(0.05)
        assert left["status"] == "left"


async def test_a_frozen_queen_wakes_up_deposed_and_writes_nothing() -> None:
    """SIGSTOP for longer than the lease, with writes on the way to her: another reigns, and what she finds when she
    wakes is neither written nor acknowledged; she steps aside."""
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        token = (await lab.admin()).token
        tls = ssl.create_default_context(cadata=lab.material.ca.certificate.decode())
        connections = [Connection(queen["url"], tls) for _ in range(8)]
        for connection in connections:
            assert (await connection.exchange("GET", "/healthz", timeout_s=20)).ok
        frozen = lab.agent(queen["name"])
        frozen.signal(signal.SIGSTOP)
        late = [asyncio.create_task(_put(c, token, {"late": n})) for n, c in enumerate(connections)]
        successor = await lab.new_queen(queen["term"])
        assert (await lab.ask("PUT", "/v1/nodes/lab-2/config", {"config": {"vars": {"wanted": 1}}})).ok
        frozen.signal(signal.SIGCONT)
        answers = [answer.status for answer in await asyncio.gather(*late)]
        assert set(answers) <= {307, 503}, answers
        for connection in connections:
            connection.close()
        await lab.wait_ready(3)
        assert (await lab.ask("GET", "/v1/nodes/lab-2/config")).json()["config"]["vars"] == {"wanted": 1}
        events = (await lab.ask("GET", "/v1/events?since=0")).json()["events"]
        assert [e for e in events if e["revision"] > successor["term"] and e["term"] == queen["term"]] == []
        (changed,) = [e for e in events if e["type"] == "config.changed"]
        assert changed["term"] >= successor["term"]


async def _put(connection: Connection, token: str, wanted: dict[str, int]) -> Answer:
    body = json.dumps({"config": {"vars": wanted}}).encode()
    headers = {"authorization": f"Bearer {token}"}
    return await connection.exchange("PUT", "/v1/nodes/lab-2/config", body, headers, timeout_s=60)


async def test_configuration_reaches_the_node_and_its_host_variables() -> None:
    """A config write is versioned, applied by the agent, and seen in the inventory; a stale write is refused."""
    async with Lab(2) as lab:
        await lab.form()
        read = (await lab.ask("GET", "/v1/nodes/lab-2/config")).json()
        assert read["version"] == 0
        body = {"config": {"agent": {"log_level": "debug", "priority": 200}, "vars": {"role": "db"}}}
        first = await lab.ask("PUT", "/v1/nodes/lab-2/config", body)
        assert first.ok
        for _ in range(1200):
            node = (await lab.ask("GET", "/v1/nodes/lab-2")).json()
            if node["config_applied"] and node["priority"] == 200:
                break
            await asyncio.sleep(0.05)
        assert node["config_applied"]
        hosts = (await lab.ask("GET", "/v1/inventory")).json()["hosts"]
        assert hosts["lab-2"]["aware_vars"] == {"role": "db"}
        again = await lab.ask("PUT", "/v1/nodes/lab-2/config", body)
        assert again.json()["changed"] is False


async def test_a_removed_node_stops_and_a_full_restart_keeps_identity() -> None:
    """DELETE stops the agent with its own exit code; all agents stopped and started are the same nodes."""
    async with Lab(3) as lab:
        await lab.form()
        ids = {n["name"]: n["id"] for n in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}
        queen = (await lab.queen())["name"]
        victim = next(name for name in ids if name != queen)
        assert (await lab.ask("DELETE", f"/v1/nodes/{victim}")).status == 409
        assert (await lab.ask("DELETE", f"/v1/nodes/{victim}?force=true")).ok
        assert lab.agent(victim).wait(20) == 20
        rest = [agent for agent in lab.agents.values() if agent.name != victim]
        for agent in rest:
            assert agent.stop() == 0
        term = 0
        for agent in rest:
            agent.start()
        document = await lab.new_queen(term)
        assert document["term"] > 0
        nodes = (await lab.ask("GET", "/v1/nodes")).json()["nodes"]
        assert {n["name"]: n["id"] for n in nodes} == {a.name: ids[a.name] for a in rest}
