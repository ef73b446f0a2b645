"""Renewal and rotation at the gateway: who may, what is refused, and tokens through a change of secret."""

from __future__ import annotations

import base64
import time

import httpx
import msgspec
import pytest

from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.routing import MAX_BODY
from aware_agent.security import pki
from aware_agent.security.jwt import TokenSigner, token_key
from aware_agent.security.keyring import fingerprint
from aware_agent.security.renewing import RenewRequest, sign_request
from aware_agent.security.roles import Role
from aware_agent.security.sealing import Opener
from tests.gateway.conftest import As
from tests.gateway.memory import COLONY, SECRET, MemoryContext, node_id

KEY = pki.make_key()


def renewal(node: str = node_id(1)) -> bytes:
    request = RenewRequest(
        colony=COLONY,
        node_id=node,
        address="127.0.0.1",
        csr=pki.make_csr(KEY, node, "demo-2").decode(),
        sent_at=time.time(),
        nonce="n" * 32,
        box_key=Opener().public,
    )
    return msgspec.json.encode(sign_request(request, KEY))


@pytest.fixture(autouse=True)
def known(context: MemoryContext) -> None:
    """The key of demo-2."""
    context.add_node(1, record={"key_pin": pki.key_pin(KEY)})


async def test_a_renewal_needs_no_token_and_is_answered(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/v1/renew", content=renewal())
    assert answer.status_code == 200
    assert pki.facts(answer.json()["certificate"].encode()).common_name == node_id(1)


async def test_a_stranger_is_told_and_then_locked_out(anonymous: httpx.AsyncClient) -> None:
    stranger = renewal(node_id(99))
    codes = [(await anonymous.post("/v1/renew", content=stranger)).json()["code"] for _ in range(30)]
    assert codes[0] == "not-a-member"
    assert codes[-1] != "not-a-member", "whoever guesses is stopped"
    assert (await anonymous.post("/v1/renew", content=renewal())).status_code == 200, "others are not"


@pytest.mark.parametrize("body", [b"{}", b"[", b"x" * 20_000])
async def test_rubbish_is_refused(anonymous: httpx.AsyncClient, body: bytes) -> None:
    assert (await anonymous.post("/v1/renew", content=body)).status_code == 422


async def test_a_flood_is_not_read_to_its_end(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.post("/v1/renew", content=b"x" * (MAX_BODY + 1))).status_code == 413


async def test_a_rotation_is_started_followed_and_aborted(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    before = (await admin.get("/v1/rotation")).json()
    assert (before["phase"], before["generation"], before["other"]) == ("settled", 1, 0)
    ca, council_ca = pki.create_ca(COLONY, time.time()), pki.create_council_ca(COLONY, time.time())
    secret = bytes(range(32))
    body = {
        "action": "start",
        "hold": True,
        "ca_certificate": ca.certificate.decode(),
        "ca_key": ca.key.decode(),
        "council_ca_certificate": council_ca.certificate.decode(),
        "council_ca_key": council_ca.key.decode(),
        "secret": base64.b64encode(secret).decode(),
    }
    started = await admin.post("/v1/rotation", json=body)
    assert started.status_code == 202
    brought = context.commands.brought
    assert brought is not None
    assert (brought.ca, brought.council_ca, brought.secret) == (ca, council_ca, secret)
    now = (await admin.get("/v1/rotation")).json()
    assert (now["phase"], now["other"], now["hold"]) == ("distributing", 2, True)
    assert {node["standing"] for node in now["nodes"]} == {"waiting"}
    assert "PRIVATE" not in str(now)
    again = await admin.post("/v1/rotation", json={"action": "start"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await admin.post("/v1/rotation", json={"action": "abort"})).json()["changed"] is True
    assert (await admin.get("/v1/rotation")).json()["phase"] == "finishing"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "rotate"},
        {"action": "start", "ca_key": "only half"},
        {"action": "start", "council_ca_certificate": "only half"},
        {"action": "start", "council_ca_key": "a", "council_ca_certificate": "b", "keep_ca": True},
        {"action": "start", "ca_key": "a", "ca_certificate": "b", "keep_ca": True},
        {"action": "start", "secret": "not base64!"},
    ],
)
async def test_impossible_orders_are_refused(
    admin: httpx.AsyncClient, context: MemoryContext, body: dict[str, object]
) -> None:
    assert (await admin.post("/v1/rotation", json=body)).status_code == 422
    assert context.trust.other == 0


async def test_access_tokens_live_through_the_switch_and_end_with_the_old_secret(
    app: GatewayApp, anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    async def status(headers: dict[str, str]) -> int:
        return (await anonymous.get("/v1/nodes", headers=headers)).status_code

    old, new = (token_key(COLONY, secret) for secret in (SECRET, b"t" * 32))
    of_old = as_(Role.VIEWER)
    assert [await status(of_old), await status(of_old)] == [200, 200]
    context.token_keys = (old, new)
    assert await status(of_old) == 200
    context.token_keys = (new, old)
    of_new = as_(Role.VIEWER)
    assert TokenSigner(COLONY, new).verify(of_new["authorization"].partition(" ")[2], now=time.time())
    assert [await status(of_old), await status(of_new)] == [200, 200]
    context.token_keys = (new,)
    assert [await status(of_old), await status(of_new)] == [401, 200]


async def test_the_queens_answers_say_which_cas_are_believed(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    """Hot ones, others and refusals, at once when that changes; and ``/v1/ca`` is what they say."""
    paths = ("/v1/queen", "/v1/tokens", "/v1/nothing", "/v1/ca")

    async def marks() -> set[str]:
        return {(await admin.get(path)).headers["x-aware-ca"] for path in paths}

    before = await marks()
    assert before == {fingerprint((await admin.get("/v1/ca")).content)}
    await admin.post("/v1/rotation", json={"action": "start"})
    after, bundle = await marks(), (await admin.get("/v1/ca")).content
    assert after == {fingerprint(bundle)} != before
    assert bundle.decode() == context.trust.ca == (await admin.get("/v1/rotation")).json()["ca"]


async def test_only_the_queens_answers_do(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    await admin.get("/v1/nodes")
    context.me = node_id(1)
    assert "x-aware-ca" not in (await admin.get("/v1/ca")).headers
    context.me = node_id(0)
    assert "x-aware-ca" in (await admin.get("/v1/ca")).headers
