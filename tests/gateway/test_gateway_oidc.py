"""Logins by a real OpenID provider, and what everybody tries with them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from aware_agent.gateway.app import GatewayApp
from aware_agent.security.records import UserRecord
from tests.gateway import oidc_support
from tests.gateway.memory import MemoryContext
from tests.gateway.oidc_support import CLIENT, Key, Program, RealProvider, query, settings


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProvider]:
    running = RealProvider(tmp_path_factory.mktemp("provider"))
    yield running
    running.stop()


@pytest.fixture
async def corp(admin: httpx.AsyncClient, app: GatewayApp, provider: RealProvider) -> AsyncIterator[RealProvider]:
    """The provider, known to the colony as ``corp``."""
    put = await admin.put("/v1/identity-providers/corp", json=settings(provider.issuer))
    assert put.status_code == 200, put.text
    yield provider
    await app.gateway.identities.close()


class Clock:
    def __init__(self, app: GatewayApp) -> None:
        self.now = app.gateway.authority.now()
        app.gateway.authority._clock = lambda: self.now


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def show(client: httpx.AsyncClient, token: str, provider: str = "corp") -> httpx.Response:
    return await client.post("/v1/auth/exchange", json={"provider": provider, "token": token})


async def test_a_login_with_a_browser_makes_a_session_like_any_other(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, context: MemoryContext, corp: RealProvider
) -> None:
    done = await Program(anonymous).whole("alice")
    assert done.status_code == 200, done.text
    assert done.json()["role"] == "admin"
    me = (await anonymous.get("/v1/auth/me", headers=bearer(done))).json()
    assert (me["name"], me["role"]) == ("corp:alice", "admin")
    users = (await admin.get("/v1/users")).json()["users"]
    (alice,) = [user for user in users if user["name"] == "corp:alice"]
    assert (alice["provider"], alice["display"]) == ("corp", "Alice A.")
    again = await anonymous.post("/v1/auth/refresh", json={"refresh_token": done.json()["refresh_token"]})
    assert again.status_code == 200
    listed = (await admin.get("/v1/sessions")).json()["sessions"]
    (session,) = [each for each in listed if each["user"] == "corp:alice"]
    assert session["ends_at"] - session["begun_at"] == 8 * 3600
    # Nobody logs in with a password under that name, and no local user can get it.
    for password in ("", "anything at all"):
        body = {"username": "corp:alice", "password": password}
        assert (await anonymous.post("/v1/auth/token", json=body)).status_code == 401
    taken = await admin.put("/v1/users/corp:alice", json={"role": "admin", "password": "long enough"})
    assert taken.status_code == 422
    assert [event.message for _, event in context.history if event.type == "user.changed"] == [
        "corp:alice (Alice A.) came by corp with role admin"
    ]


@pytest.mark.parametrize(("user", "role"), [("olga", "operator"), ("vic", "viewer")])
async def test_groups_and_verified_addresses_give_the_role_of_their_rule(
    anonymous: httpx.AsyncClient, corp: RealProvider, user: str, role: str
) -> None:
    assert (await Program(anonymous).whole(user)).json()["role"] == role


async def test_who_matches_no_rule_gets_nothing_and_an_unverified_address_is_no_match(
    anonymous: httpx.AsyncClient, context: MemoryContext, corp: RealProvider
) -> None:
    refused = await Program(anonymous).whole("eve")
    assert (refused.status_code, refused.json()["code"]) == (403, "no-role")
    assert context.reader.one("users/corp:eve", UserRecord) is None


async def test_the_role_is_judged_anew_at_each_login_and_bounds_older_sessions(
    anonymous: httpx.AsyncClient, app: GatewayApp, corp: RealProvider
) -> None:
    now = app.gateway.authority.now()
    high = await show(anonymous, corp.token(now, sub="zoe", groups=["aware-admins"]))
    low = await show(anonymous, corp.token(now, sub="zoe", groups=["aware-operators"]))
    assert (high.json()["role"], low.json()["role"]) == ("admin", "operator")
    assert (await anonymous.get("/v1/auth/me", headers=bearer(high))).json()["role"] == "operator"
    none = await show(anonymous, corp.token(now, sub="zoe", groups=[]))
    assert none.status_code == 403


async def test_removing_or_changing_a_provider_ends_its_sessions(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, app: GatewayApp, corp: RealProvider
) -> None:
    token = corp.token(app.gateway.authority.now())
    for change in ("change", "delete"):
        session = await show(anonymous, token)
        assert session.status_code == 200
        if change == "change":
            body = settings(corp.issuer, session_s=600.0)
            assert (await admin.put("/v1/identity-providers/corp", json=body)).json()["changed"] is True
            assert (await admin.put("/v1/identity-providers/corp", json=body)).json()["changed"] is False
        else:
            assert (await admin.delete("/v1/identity-providers/corp")).status_code == 200
        assert (await anonymous.get("/v1/auth/me", headers=bearer(session))).status_code == 401
        refresh = {"refresh_token": session.json()["refresh_token"]}
        assert (await anonymous.post("/v1/auth/refresh", json=refresh)).status_code == 401
    assert (await show(anonymous, token)).status_code == 404


async def test_a_secret_goes_in_and_never_comes_out(
    admin: httpx.AsyncClient, context: MemoryContext, corp: RealProvider, caplog: pytest.LogCaptureFixture
) -> None:
    shown = await admin.get("/v1/identity-providers/corp")
    assert shown.json()["has_secret"] is True
    stored = context.projection.get(context.keys.key("identity-providers", "corp"))
    assert stored is not None
    told = "".join(event.message for _, event in context.history)
    for text in (shown.text, stored.value.decode(), told, caplog.text, repr(context.commands.ran)):
        assert oidc_support.SECRET not in text
    kept = settings(corp.issuer, name_claim="name")
    del kept["client_secret"]
    assert (await admin.put("/v1/identity-providers/corp", json=kept)).status_code == 200
    assert (await admin.get("/v1/identity-providers/corp")).json()["has_secret"] is True
    # It was given for that provider: nobody has it sent to another one.
    moved = await admin.put("/v1/identity-providers/corp", json=kept | {"issuer": "https://elsewhere.example"})
    assert (moved.status_code, moved.json()["field"]) == (422, "client_secret")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"aud": ["colony-demo", "somebody-else"]},
        {"aud": []},
        {"aud": CLIENT},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": 4_000_000_000, "exp": 4_000_000_300},
        {"nbf": 4_000_000_000},
        {"sub": ""},
        {"sub": "x" * 300},
        {"sub": None},
        {"sub": ["repo:aware/app:x"]},
    ],
)
async def test_tokens_for_others_of_others_and_of_other_times_are_refused(
    anonymous: httpx.AsyncClient, app: GatewayApp, corp: RealProvider, changes: dict[str, Any]
) -> None:
    refused = await show(anonymous, corp.token(app.gateway.authority.now(), **changes))
    assert (refused.status_code, refused.json()["code"]) == (401, "identity-refused")


def unsigned(token: str, **header: Any) -> str:
    body = token.split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{body}."


async def test_a_signature_counts_only_from_the_providers_own_key(
    anonymous: httpx.AsyncClient, app: GatewayApp, corp: RealProvider, caplog: pytest.LogCaptureFixture
) -> None:
    now = app.gateway.authority.now()
    good = corp.token(now)
    claims = jwt.decode(good, options={"verify_signature": False})
    public = corp.key.private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    other = Key("first")
    head, body, signature = good.split(".")
    bad = [
        unsigned(good, alg="none", kid="first"),
        unsigned(good, alg="None"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        other.sign(claims),
        Key("unheard-of").sign(claims),
        corp.key.sign(claims, typ="logout+jwt"),
        corp.key.sign(claims, jku="https://elsewhere.example/keys", kid="theirs"),
        hs256(claims, pem),
        hs256(claims, json.dumps(corp.key.jwk).encode()),
        "nonsense",
        "a.b.c",
        "." * 40,
        "x" * 20_000,
    ]
    for token in bad:
        refused = await show(anonymous, token)
        assert (refused.status_code, refused.json()["code"]) == (401, "identity-refused"), token[:80]
        assert token not in refused.text + caplog.text
    assert (await show(anonymous, good)).status_code == 200


def hs256(claims: dict[str, Any], key: bytes) -> str:
    """The public key used as if it were a shared secret; libraries refuse to, so it is done by hand."""
    import hmac

    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"first"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    mac = base64.urlsafe_b64encode(hmac.digest(key, head + b"." + body, "sha256")).rstrip(b"=")
    return b".".join((head, body, mac)).decode()


async def test_the_provider_may_change_its_keys(
    anonymous: httpx.AsyncClient, app: GatewayApp, corp: RealProvider
) -> None:
    clock = Clock(app)
    old = corp.key
    assert (await show(anonymous, corp.token(clock.now))).status_code == 200
    corp.change_keys(Key("second"), old)
    # A key nobody knows is not looked for all the time, or everybody could make the gateway ask and ask.
    assert (await show(anonymous, corp.token(clock.now))).status_code == 401
    clock.now += 11
    assert (await show(anonymous, corp.token(clock.now))).status_code == 200
    assert (await Program(anonymous).whole("olga")).status_code == 200
    forgotten = corp.token(clock.now)
    corp.change_keys(Key("third"))
    clock.now += 3601
    assert (await show(anonymous, corp.token(clock.now))).status_code == 200
    late = jwt.decode(forgotten, options={"verify_signature": False}) | {"exp": clock.now + 60}
    clock.now += 11
    assert (await show(anonymous, old.sign(late))).status_code == 401


async def test_a_login_ends_in_the_browser_and_the_program_it_began_in(
    anonymous: httpx.AsyncClient, app: GatewayApp, corp: RealProvider
) -> None:
    program = Program(anonymous)
    url = await program.log_in("alice")
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen")
    async with stranger:
        lured = await stranger.get(url)  # somebody else's browser, sent there to be logged in as another
        assert (lured.status_code, lured.json()["code"]) == (401, "identity-refused")
    back = await program.returned(url)
    assert (await program.redeem(back["code"], "v" * 48)).status_code == 401  # another program of that machine
    assert (await program.redeem(back["code"])).status_code == 200
    assert (await program.redeem(back["code"])).status_code == 401  # once
    assert (await anonymous.get(url)).status_code == 401  # the browser has no such login any more


async def test_a_code_of_another_login_is_worth_nothing(anonymous: httpx.AsyncClient, corp: RealProvider) -> None:
    """The provider sees that the code was made for another verifier."""
    stolen = query(await Program(anonymous).log_in("alice"))["code"]
    program = Program(anonymous)
    mine = query((await program.begin()).headers["location"])["state"]
    injected = f"/v1/auth/oidc/corp/callback?state={mine}&code={stolen}&iss={corp.issuer}"
    back = await program.returned(injected)
    refused = await program.redeem(back["code"])
    assert (refused.status_code, refused.json()["code"]) == (401, "identity-refused")


async def test_a_provider_that_answers_for_another_login_or_another_issuer_is_refused(
    anonymous: httpx.AsyncClient, app: GatewayApp, corp: RealProvider
) -> None:
    from aware_agent.gateway.identity.errors import IdentityRefused

    program = Program(anonymous)
    url = await program.log_in("alice")
    flow = app.gateway.identities.flows.returned(
        app.gateway.identities.sealer(),
        query(url)["state"],
        anonymous.cookies["__Secure-aware-login"],
        provider="corp",
        now=app.gateway.authority.now(),
    )
    client = (await app.gateway.identities.get("corp")).client
    redirect = "https://queen/v1/auth/oidc/corp/callback"
    with pytest.raises(IdentityRefused, match="another login"):
        await client.redeem(query(url)["code"], redirect=redirect, nonce="of another", verifier=flow.verifier)
    for issuer in ("", "&iss=https://elsewhere.example"):
        mixed = f"/v1/auth/oidc/corp/callback?state={query(url)['state']}&code=x{issuer}"
        assert (await anonymous.get(mixed)).status_code == 401


async def test_a_login_that_takes_too_long_or_whose_provider_changed_is_refused(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, app: GatewayApp, corp: RealProvider
) -> None:
    clock = Clock(app)
    program = Program(anonymous)
    url = await program.log_in("alice")
    clock.now += 601
    assert (await anonymous.get(url)).status_code == 401
    back = await program.returned(await program.log_in("alice"))
    clock.now += 61
    assert (await program.redeem(back["code"])).status_code == 401
    back = await program.returned(await program.log_in("alice"))
    await admin.put("/v1/identity-providers/corp", json=settings(corp.issuer, session_s=900.0))
    refused = await program.redeem(back["code"])
    assert (refused.status_code, refused.json()["code"]) == (401, "identity-refused")


async def test_the_user_may_say_no(anonymous: httpx.AsyncClient, corp: RealProvider) -> None:
    program = Program(anonymous)
    mine = query((await program.begin()).headers["location"])["state"]
    for said, told in (("access_denied", "access_denied"), ("<script>", "no_code")):
        answer = await anonymous.get(
            "/v1/auth/oidc/corp/callback", params={"state": mine, "error": said, "iss": corp.issuer}
        )
        assert query(answer.headers["location"]) == {"error": told, "state": program.state}
        mine = query((await program.begin()).headers["location"])["state"]


@pytest.mark.parametrize(
    "back",
    [
        "https://elsewhere.example/",
        "http://localhost:9/",
        "http://127.0.0.1/",
        "http://127.0.0.1:9@elsewhere.example/",
        "http://127.0.0.1:9/?a=b",
        "http://127.0.0.1:9/#a",
        "http://10.0.0.1:9/",
        "https://queen/v1/",
        "https://queen.elsewhere.example/",
        "javascript:alert(1)",
        "//elsewhere.example/",
        "http://127.0.0.1:9\\@elsewhere.example/",
        "http://[::1:9/",
        "",
    ],
)
async def test_a_login_leads_nowhere_else(anonymous: httpx.AsyncClient, corp: RealProvider, back: str) -> None:
    refused = await Program(anonymous).begin(redirect_uri=back)
    assert refused.status_code == 422
    assert "location" not in refused.headers


async def test_a_provider_that_is_away_is_said_and_not_asked_all_the_time(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, app: GatewayApp, provider: RealProvider
) -> None:
    body = settings("http://127.0.0.1:9", client_secret=None, hosts=[])
    assert (await admin.put("/v1/identity-providers/away", json=body)).status_code == 200
    for _ in range(3):
        away = await Program(anonymous, "away").begin()
        assert (away.status_code, away.json()["code"]) == (502, "provider-unreachable")
    other = settings(f"{provider.issuer}/", client_secret=None)  # another issuer than the one it says it is
    await admin.put("/v1/identity-providers/other", json=other)
    assert (await Program(anonymous, "other").begin()).status_code == 502
    await app.close("the test is over")


async def test_many_failures_of_one_source_have_to_wait(anonymous: httpx.AsyncClient, corp: RealProvider) -> None:
    answers = [(await show(anonymous, "a.b.c")).status_code for _ in range(22)]
    assert answers[0] == 401
    assert answers[-1] == 429
