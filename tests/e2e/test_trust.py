"""Trust in a living colony: certificates that renew themselves, removed nodes that are nothing, rotation."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aware_agent.agent.certificate_fields import not_after
from aware_agent.agent.etcd_auth import enable_auth
from aware_agent.agent.material import make_material
from aware_agent.agent.member.etcd_access import etcd_credentials
from aware_agent.agent.state import StateDir
from aware_agent.cli.rotation_files import prepare_next, sync
from aware_agent.colony.spec import CasteSpec, Policies, Spec
from aware_agent.store.access import Access, NodeAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError, StoreRefused, StoreUnreachable
from aware_agent.store.keys import prefix_end
from bench.client import ColonyClient, Unreachable
from bench.lab import Lab
from tests.patience import UNHURRIED

pytestmark = [pytest.mark.e2e, pytest.mark.etcd]

WAIT_S = 60.0


def wish(nodes: int, **policies: Any) -> Spec:
    return Spec(colony="lab", size=nodes, castes={"web": CasteSpec(count=1)}, policies=Policies(**policies))


async def until(what: str, condition: Callable[[], Any], lab: Lab | None = None, limit_s: float = WAIT_S) -> Any:
    """Wait until ``condition()`` (or what it returns, awaited) is true."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {limit_s:g} s: {what}\n{lab.tails(8) if lab else ''}")


def credentials(lab: Lab, name: str) -> Credentials:
    """What the node shows to etcd now; a worker has nothing better than the certificate it shows everybody."""
    state = StateDir(lab.agent(name).state_dir).load()
    assert state is not None
    if state.council is not None:
        return etcd_credentials(state)
    return Credentials(ca=lab.material.council_ca.certificate, cert=state.certificate, key=state.key)


def expiry(lab: Lab, name: str) -> float:
    certificate = StateDir(lab.agent(name).state_dir).certificate_path
    return not_after(certificate.read_bytes()) if certificate.exists() else 0.0


async def shown_expiry(lab: Lab, name: str) -> float:
    """End of the certificate the node's gateway shows to those who connect now."""
    agent = lab.agent(name)
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    port = agent.settings["gateway"]["port"]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="127.0.0.1")
    shown = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return ssl.cert_time_to_seconds(shown["notAfter"])


async def answers_as(lab: Lab, name: str, host: str) -> bool:
    """Whether the node's gateway proves to be ``host``, as a client does that was told to reach it there."""
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    port = lab.agent(name).settings["gateway"]["port"]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    except (ssl.SSLCertVerificationError, ConnectionError):
        return False
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return True


async def test_a_node_proves_the_address_an_admin_pinned() -> None:
    """The founder and one that joined get such an address while they run: each is trusted at it, and at its own."""
    async with Lab(2, spec=wish(2)) as lab:
        await lab.form()
        for number in (1, 2):
            name, outside = f"lab-{number}", f"203.0.113.{number}"
            assert not await answers_as(lab, name, outside)
            assert (await lab.ask("PATCH", f"/v1/nodes/{name}", {"pinned": [outside]})).ok
            await until(f"{name} answers as {outside}", lambda n=name, o=outside: answers_as(lab, n, o), lab)
            assert await answers_as(lab, name, "127.0.0.1")
        assert (await lab.ask("PATCH", "/v1/nodes/lab-1", {"pinned": ["203.0.113.2"]})).status == 422


async def test_a_node_whose_address_changed_renews_before_it_is_announced() -> None:
    """Nobody is led to an address that the certificate shown there does not name."""
    async with Lab(2, spec=wish(2)) as lab:
        await lab.form()
        moved = lab.agent("lab-2")
        await asyncio.to_thread(moved.stop)
        moved.write_settings(address="127.0.0.2")
        moved.start()

        async def seen() -> bool:
            node = (await lab.ask("GET", "/v1/nodes/lab-2")).json()
            return bool(node["address"] == "127.0.0.2" and node["status"] == "ready")

        await until("lab-2 is seen at 127.0.0.2", seen, lab)
        state = StateDir(moved.state_dir).load()
        assert state is not None
        assert state.membership.addresses == ("127.0.0.2",)
        # She would lock out whoever is led to her there, and nobody else is left to ask.
        queen = await lab.queen()
        assert queen["name"] == "lab-1"
        lab.agent("lab-1").kill()
        successor = await lab.new_queen(queen["term"])
        assert (successor["name"], successor["url"]) == ("lab-2", moved.url)
        assert (await lab.ask("PATCH", "/v1/nodes/lab-2", {"labels": {"moved": "yes"}})).ok


async def test_certificates_of_seconds_renew_themselves_and_nobody_notices() -> None:
    """Three generations of 15 s certificates: same queen, same term, all ready, every request answered."""
    async with Lab(3, spec=wish(3, certificate_lifetime_s=15.0), settings=UNHURRIED) as lab:
        await lab.form()
        queen = await lab.queen()
        await until(
            "all certificates are short", lambda: max(expiry(lab, n) for n in lab.agents) < time.time() + 16, lab
        )
        first = {name: expiry(lab, name) for name in lab.agents}
        asked = 0
        while time.time() < max(first.values()) + 10:
            assert (await lab.ask("GET", "/v1/nodes")).status == 200
            asked += 1
            await asyncio.sleep(0.1)
        assert asked > 10
        cluster = await lab.wait_ready(3)
        assert (await lab.queen())["term"] == queen["term"]
        assert cluster["size"]["ready"] == 3
        for name in lab.agents:
            assert expiry(lab, name) > time.time(), lab.tails()
            # What is shown may be one renewal older than the file for a moment, but it is good.
            assert await shown_expiry(lab, name) > max(first.values())
        events = (await lab.ask("GET", "/v1/events?since=0&limit=500")).json()["events"]
        kinds = [event["type"] for event in events]
        assert kinds.count("node.renewed") >= 6
        assert "node.suspect" not in kinds


async def test_a_node_that_slept_past_its_certificate_comes_back() -> None:
    """An agent that was down until its certificate had run out renews it with its key before it goes to etcd."""
    async with Lab(2, spec=wish(2, certificate_lifetime_s=15.0)) as lab:
        await lab.form()
        queen = await lab.queen()
        sleeper = next(name for name in lab.agents if name != queen["name"])
        await until("it remembers members", (lab.agent(sleeper).state_dir / "peers.json").exists, lab)
        lab.agent(sleeper).stop()
        await until("its certificate ran out", lambda: expiry(lab, sleeper) < time.time() - 1, lab)
        with pytest.raises(StoreError):
            async with EtcdClient(lab.etcd.endpoints, credentials(lab, sleeper), deadline_s=2.0) as client:
                await client.get(lab.keys.queen)
        lab.agent(sleeper).start()
        await lab.wait_ready(2)


async def test_a_guarded_etcd_lets_in_members_only_and_each_only_where_it_works() -> None:
    """Users by certificate: a candidate writes the colony, a worker nothing at all."""
    async with Lab(3, spec=wish(3), etcd_auth=True) as lab:
        lab.agent("lab-1").start()
        await lab.queen()
        lab.agent("lab-3").write_settings(token_file=str(await lab.make_token()))
        await lab.form()
        nodes = {node["name"]: node["id"] for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}
        queen = await lab.queen()
        candidate = next(name for name in ("lab-1", "lab-2") if name != queen["name"])
        worker = StateDir(lab.agent("lab-3").state_dir).load()
        assert worker is not None
        assert not worker.membership.whole
        assert worker.membership.secret != lab.material.secret, "a worker is not given the secret"
        elsewhere = b"/aware/other/queen"
        assert worker.council is None
        async with EtcdClient(lab.etcd.endpoints, credentials(lab, "lab-3"), deadline_s=3.0) as client:
            with pytest.raises(StoreUnreachable):  # not even a handshake
                await client.get(lab.keys.queen)
        async with EtcdClient(lab.etcd.endpoints, credentials(lab, candidate), deadline_s=10.0) as client:
            assert await client.get(lab.keys.key("ca")) is not None
            with pytest.raises(StoreRefused):
                await client.put(elsewhere, b"mine")
            with pytest.raises(StoreRefused):
                await Access(client).add_user("friend")
        # The reign changes hands as in any colony.
        lab.agent(queen["name"]).kill()
        assert (await lab.new_queen(queen["term"]))["name"] == candidate
        lab.agent(queen["name"]).start()
        await lab.wait_ready(3)

        stolen = credentials(lab, "lab-3")
        assert (await lab.ask("DELETE", "/v1/nodes/lab-3?force=true")).ok
        assert await asyncio.to_thread(lab.agent("lab-3").wait, 30) == 20
        async with EtcdClient(lab.etcd.endpoints, stolen, deadline_s=3.0) as client:
            with pytest.raises(StoreError):
                await client.get(lab.keys.queen)
        lab.agent("lab-3").start()
        assert await asyncio.to_thread(lab.agent("lab-3").wait, 60) == 20, lab.agent("lab-3").tail()
        async with lab.etcd_client() as client:
            assert await NodeAccess(client, lab.keys).known() == {nodes["lab-1"], nodes["lab-2"]}
            assert len((await client.range(lab.keys.root, prefix_end(lab.keys.root))).kvs) > 5, "root sees all"


async def test_a_colony_is_guarded_while_it_lives_and_a_forgotten_user_goes() -> None:
    """Auth switched on under running nodes; a user without a node is removed by the next queen."""
    async with Lab(2, spec=wish(2), settings=UNHURRIED) as lab:
        await lab.form()
        queen = await lab.queen()
        async with lab.etcd_client() as client:
            assert await enable_auth(client, lab.keys)
            assert not await enable_auth(client, lab.keys), "the second time nothing is new"
            orphan = "01K0000000000000000000000A"
            users = NodeAccess(client, lab.keys)
            await users.admit(orphan)
            await lab.wait_ready(2)
            assert (await lab.queen())["term"] == queen["term"]
            lab.add_agent("lab-3").start()
            await lab.wait_ready(3, healthy=False)
            await lab.ask("POST", "/v1/queen/step-down", {})
            await lab.new_queen(queen["term"])

            async def tidy() -> bool:
                return orphan not in await users.known()

            await until("the orphan is gone", tidy, lab)
            assert len(await users.known()) == 3


# Rotation ------------------------------------------------------------------------------------------------------------


class Rotating:
    """A rotation of a lab's CA and secret, as an operator with the material directory does it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.clients: list[ColonyClient] = []

    def watch(self, client: ColonyClient) -> ColonyClient:
        """A client that is told which CAs to believe, as an operator would tell his."""
        self.clients.append(client)
        return client

    async def state(self) -> dict[str, Any]:
        document: dict[str, Any] = (await self.lab.ask("GET", "/v1/rotation")).json()
        return document

    async def order(self, **body: Any) -> None:
        answer = await self.lab.ask("POST", "/v1/rotation", body)
        assert answer.ok, answer.body

    async def start(self, **options: Any) -> None:
        generation = (await self.state())["last"] + 1
        brought = await asyncio.to_thread(prepare_next, self.lab.material_dir, generation)
        await self.order(action="start", **{"hold": True, **brought, **options})

    async def nodes_are_ready(self, phase: str) -> dict[str, Any]:
        async def look() -> Any:
            state = await self.state()
            fine = state["phase"] == phase and {n["standing"] for n in state["nodes"]} <= {"ready", "left-behind"}
            return state if fine else None

        found: dict[str, Any] = await until(f"all nodes are ready in phase {phase}", look, self.lab)
        return found

    async def sync(self) -> bool:
        """Bring the material directory and the lab's own client in line; whether etcd has to be restarted."""
        state = await self.state()
        bundle = state["ca"].encode()
        outcome = await asyncio.to_thread(
            sync,
            self.lab.material_dir,
            generation=state["generation"],
            settled=state["phase"] == "settled",
            bundle=bundle,
            council_bundle=state["council_ca"].encode(),
        )
        for client in (await self.lab.admin(), *self.clients):
            client.believe(bundle)
        root = self.lab.material_dir / "founder.crt"
        key = root.with_suffix(".key").read_bytes()
        self.lab.etcd.credentials = Credentials(ca=state["council_ca"].encode(), cert=root.read_bytes(), key=key)
        return outcome.believes_others

    async def restart_etcd(self) -> None:
        """One member after the other."""
        for member in self.lab.etcd.members:
            member.kill()
            member.start()
            await self.lab.etcd.wait_ready(member)

    async def switch(self) -> None:
        """From a start to the phase in which the new generation signs everywhere."""
        await self.nodes_are_ready("distributing")
        assert await self.sync()
        await self.restart_etcd()
        await self.order(action="continue")
        await self.nodes_are_ready("switched")
        assert not await self.sync(), "both were believed before"

    async def finish(self) -> None:
        await self.order(action="continue")
        await self.nodes_are_ready("settled")
        assert await self.sync()
        await self.restart_etcd()


@contextlib.asynccontextmanager
async def working(lab: Lab, rotating: Rotating, node: str) -> AsyncIterator[list[int]]:
    """A client that reads and writes all the while; every request is answered. Gives the revisions written."""
    written: list[int] = []
    stop = asyncio.Event()
    client = rotating.watch(lab.client((await lab.admin()).token))

    async def ask(method: str, path: str, body: object = None) -> Any:
        answer = await client.call(method, path, body, deadline_s=20)
        if answer.status == 401:  # an access token ends with the secret it was made with
            await client.login("admin", lab.admin_password)
            answer = await client.call(method, path, body, deadline_s=20)
        assert answer.ok, answer.body
        return answer.json()

    async def work() -> None:
        while not stop.is_set():
            body = {"config": {"vars": {"number": len(written)}}}
            written.append((await ask("PUT", f"/v1/nodes/{node}/config", body))["revision"])
            await ask("GET", "/v1/nodes")
            await asyncio.sleep(0.02)

    worker = asyncio.create_task(work())
    try:
        yield written
    finally:
        stop.set()
        await worker
        client.close()


async def test_ca_and_secret_are_rotated_under_a_client_that_reads_and_writes() -> None:
    """No request fails, no queen changes; then the old certificate, token and join token are worth nothing."""
    async with Lab(3, spec=wish(3), etcd_members=3, etcd_auth=True, settings=UNHURRIED) as lab:
        await lab.form()
        queen = await lab.queen()
        nodes = {node["name"]: node for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}
        old = credentials(lab, "lab-2")
        old_access, old_join = (await lab.admin()).token, lab.token_file.read_text()
        rotating = Rotating(lab)
        async with working(lab, rotating, nodes["lab-3"]["id"]) as written:
            await rotating.start()
            await rotating.switch()
            await rotating.finish()
            await asyncio.sleep(1)
        assert len(written) > 20
        assert written == sorted(set(written))
        assert (await lab.queen())["term"] == queen["term"]
        await lab.wait_ready(3)
        state = await rotating.state()
        assert (state["phase"], state["generation"], state["other"]) == ("settled", 2, 0)
        assert {node["signed_by"] for node in state["nodes"]} == {2}

        with pytest.raises(StoreError):
            async with EtcdClient(lab.etcd.endpoints, old, deadline_s=3.0) as etcd:
                await etcd.get(lab.keys.queen)
        async with EtcdClient(lab.etcd.endpoints, credentials(lab, "lab-2"), deadline_s=10.0) as etcd:
            assert await etcd.get(lab.keys.queen) is not None
        stranger = ColonyClient([lab.agent("lab-1").url], lab.material.ca.certificate)
        with pytest.raises(Unreachable):
            await stranger.call("GET", "/healthz", deadline_s=3.0)
        stranger.close()
        late = ColonyClient([a.url for a in lab.agents.values()], lab.ca_file.read_bytes(), old_access)
        assert (await late.call("GET", "/v1/nodes")).status == 401
        late.close()
        assert (await lab.ask("GET", "/v1/tokens")).json()["tokens"] == [], "the founding token pinned the old CA"

        # Newcomers come in with a new token; a restarted node is what it was.
        made = (await lab.ask("POST", "/v1/tokens", {"uses": 1, "eligible": True})).json()["token"]
        assert made.rpartition(".")[2] != old_join.strip().rpartition(".")[2]
        lab.token_file.write_text(made)
        lab.add_agent("lab-4").start()
        await lab.wait_ready(4, healthy=False)
        lab.agent("lab-2").stop()
        lab.agent("lab-2").start()
        await lab.wait_ready(4, healthy=False)
        # The material directory is again one from which everything can be made.
        again = make_material(
            lab.colony,
            lab.material_dir,
            etcd_addresses=lab.etcd.endpoints,
            founder_name="lab-1",
            founder_address="127.0.0.1",
            founder_state=lab.agent("lab-1").state_dir,
            now=time.time(),
        )
        assert again.changed == ()
        kinds = [event["type"] for event in (await lab.ask("GET", "/v1/events?since=0&limit=500")).json()["events"]]
        assert [kind for kind in kinds if kind.startswith("rotation.")] == [
            "rotation.distributing",
            "rotation.released",
            "rotation.switched",
            "rotation.released",
            "rotation.finishing",
            "rotation.settled",
        ]


async def test_an_abort_at_any_time_leaves_all_working() -> None:
    """Given up while it is distributed, and again when the new generation signs already: the old one is back."""
    async with Lab(2, spec=wish(2)) as lab:
        await lab.form()
        queen = await lab.queen()
        node = (await lab.ask("GET", "/v1/nodes")).json()["nodes"][0]["id"]
        rotating = Rotating(lab)
        await rotating.start()
        await rotating.nodes_are_ready("distributing")
        assert (await lab.ask("POST", "/v1/rotation", {"action": "start"})).status == 409
        state = await rotating.state()
        assert not state["complete"]
        assert "does not accept certificates of the new council CA" in state["etcd"][0]
        await rotating.order(action="continue")  # allowed, and still it waits for etcd
        await asyncio.sleep(2)
        assert (await rotating.state())["phase"] == "distributing"
        await rotating.order(action="abort")
        settled = await rotating.nodes_are_ready("settled")
        assert {tuple(n["holds"]) for n in settled["nodes"]} == {(1,)}
        assert (await lab.ask("POST", "/v1/rotation", {"action": "abort"})).status == 409

        await rotating.start()
        assert (await rotating.state())["other"] == 3, "a number that was given up is not used again"
        await rotating.switch()
        await rotating.order(action="abort")
        await rotating.nodes_are_ready("returning")
        await rotating.sync()
        await rotating.nodes_are_ready("settled")
        await rotating.sync()
        await rotating.restart_etcd()
        state = await rotating.state()
        assert (state["generation"], {n["signed_by"] for n in state["nodes"]}) == (1, {1})
        assert (lab.material_dir / "ca.crt").read_bytes() == lab.material.ca.certificate
        assert not (lab.material_dir / "next").exists()
        await lab.wait_ready(2)
        assert (await lab.ask("PUT", f"/v1/nodes/{node}/config", {"config": {"vars": {"a": 1}}})).ok
        lab.add_agent("lab-3").start()  # with the first token of all: its CA is in place again
        await lab.wait_ready(3, healthy=False)
        assert queen["term"] <= (await lab.queen())["term"]


@pytest.mark.deep
async def test_queens_are_killed_in_mid_rotation_and_a_node_is_left_behind() -> None:
    """The next queen goes on where the last one fell. Who was away too long is named, and comes back with a token."""
    async with Lab(4, spec=wish(4)) as lab:
        await lab.form()
        before = {node["name"]: node["id"] for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}
        queen = await lab.queen()
        sleeper = next(name for name in lab.agents if name != queen["name"])
        lab.agent(sleeper).stop()
        rotating = Rotating(lab)
        await rotating.start(patience_s=0)
        lab.agent(queen["name"]).kill()
        second = await lab.new_queen(queen["term"])
        lab.agent(queen["name"]).start()
        await lab.wait_ready(3, healthy=False)
        await rotating.switch()
        lab.agent(second["name"]).kill()
        await lab.new_queen(second["term"])
        lab.agent(second["name"]).start()
        await lab.wait_ready(3, healthy=False)
        await rotating.nodes_are_ready("switched")
        await rotating.finish()
        state = await rotating.state()
        assert {n["name"]: n["standing"] for n in state["nodes"]} == {
            name: "left-behind" if name == sleeper else "ready" for name in lab.agents
        }
        lab.agent(sleeper).write_settings(store={"startup_timeout_s": 3.0})
        lab.agent(sleeper).start()
        assert await asyncio.to_thread(lab.agent(sleeper).wait, 60) == 15, lab.agent(sleeper).tail()
        lab.token_file.write_text((await lab.ask("POST", "/v1/tokens", {"uses": 1, "eligible": True})).json()["token"])
        rejoin = [sys.executable, "-m", "aware_agent.daemon", "rejoin", "--config", str(lab.agent(sleeper).config)]
        done = await asyncio.to_thread(subprocess.run, rejoin, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        lab.agent(sleeper).start()
        await lab.wait_ready(4)
        after = {node["name"]: node["id"] for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}
        assert after == before
