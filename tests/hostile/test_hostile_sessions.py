"""Attack: somebody has the tokens of a login, or of a user that is no more, or invents a session."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from aware_agent.colony.session import GRACE_S, Session
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.security.jwt import TokenSigner
from aware_agent.security.roles import Role
from tests.gateway.memory import COLONY, PASSWORD, MemoryContext

OWNER, THIEF = "192.0.2.1", "198.51.100.9"


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext()


@pytest.fixture
def app(context: MemoryContext) -> GatewayApp:
    return create_gateway(context)


def at(app: GatewayApp, address: str) -> httpx.AsyncClient:
    """A client at that address."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url="https://queen")


async def log_in(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    answer = await client.post("/v1/auth/token", json={"username": name, "password": PASSWORD})
    return dict(answer.json())


async def refresh(client: httpx.AsyncClient, tokens: dict[str, str]) -> httpx.Response:
    return await client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})


async def reads(client: httpx.AsyncClient, tokens: dict[str, str]) -> bool:
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    return (await client.get("/v1/cluster", headers=headers)).status_code == 200


def later(context: MemoryContext, session: str) -> None:
    """The grace is over."""
    stored = context.reader.one(f"sessions/{session}", Session)
    assert stored is not None
    older = msgspec.structs.replace(stored, refreshed_at=stored.refreshed_at - GRACE_S)
    context.put(context.keys.key("sessions", session), older)


@pytest.mark.parametrize("first", [OWNER, THIEF])
async def test_a_stolen_refresh_token_is_of_use_until_the_other_comes(
    app: GatewayApp, context: MemoryContext, first: str
) -> None:
    """Whoever of the two comes first: the second one ends it for both, also within the grace."""
    async with at(app, OWNER) as owner, at(app, THIEF) as thief:
        tokens = await log_in(owner, "otto")
        later(context, tokens["session"])
        one, other = (owner, thief) if first == OWNER else (thief, owner)
        got = (await refresh(one, tokens)).json()
        assert await reads(one, got)
        assert (await refresh(other, tokens)).status_code == 401
        assert not await reads(one, got)
        assert not await reads(owner, tokens)
        assert (await refresh(one, got)).status_code == 401
        (told,) = [event for _, event in context.history if event.type == "session.reused"]
        assert OWNER in told.message
        assert THIEF in told.message
        assert tokens["refresh_token"] not in str(told)
        assert await reads(owner, await log_in(owner, "otto"))


async def test_tokens_of_a_deleted_user_are_nothing_to_the_one_made_anew(
    app: GatewayApp, context: MemoryContext
) -> None:
    async with at(app, OWNER) as admin, at(app, THIEF) as thief:
        governs = {"authorization": f"Bearer {(await log_in(admin, 'ada'))['access_token']}"}
        stolen = await log_in(thief, "otto")
        kept = context.reader.one(f"sessions/{stolen['session']}", Session)
        assert (await admin.delete("/v1/users/otto", headers=governs)).status_code == 200
        anew = {"role": "admin", "password": "another good password"}
        assert (await admin.put("/v1/users/otto", json=anew, headers=governs)).status_code == 200
        assert not await reads(thief, stolen)
        assert (await refresh(thief, stolen)).status_code == 401
        # Even where a gateway that lags behind, or a restore, has the session still.
        context.put(context.keys.key("sessions", stolen["session"]), kept)
        assert not await reads(thief, stolen)
        assert (await refresh(thief, stolen)).status_code == 401


async def test_what_a_member_that_is_cut_off_gives_for_an_old_password_is_nothing_at_the_queen() -> None:
    """It sees no queen and no change of a password that leaked; the queen that it cannot see is there all the same."""
    behind, colony = MemoryContext(), MemoryContext()
    behind.standing_queen = lambda: False  # type: ignore[method-assign]
    async with at(create_gateway(behind), THIEF) as cut, at(create_gateway(colony), OWNER) as queen:
        governs = {"authorization": f"Bearer {(await log_in(queen, 'ada'))['access_token']}"}
        anew = {"role": "operator", "password": "it leaked, so a new one"}
        stolen_before = await log_in(cut, "otto")
        assert (await queen.put("/v1/users/otto", json=anew, headers=governs)).status_code == 200
        stolen = await log_in(cut, "otto")
        assert stolen["session"] == ""
        assert await reads(cut, stolen), "nobody could tell it"
        for tokens in (stolen_before, stolen):
            assert not await reads(queen, tokens)


async def test_access_without_a_session_is_nothing_to_the_user_made_anew(
    app: GatewayApp, context: MemoryContext
) -> None:
    async with at(app, OWNER) as admin, at(app, THIEF) as thief:
        governs = {"authorization": f"Bearer {(await log_in(admin, 'ada'))['access_token']}"}
        with pytest.MonkeyPatch.context() as without:
            without.setattr(context, "standing_queen", lambda: False)
            bare = await log_in(thief, "otto")
        assert bare["session"] == ""
        assert await reads(thief, bare)
        assert (await admin.delete("/v1/users/otto", headers=governs)).status_code == 200
        anew = {"role": "admin", "password": "another good password"}
        assert (await admin.put("/v1/users/otto", json=anew, headers=governs)).status_code == 200
        assert not await reads(thief, bare)


async def test_nobody_invents_a_session_or_takes_anothers(app: GatewayApp) -> None:
    async with at(app, OWNER) as owner, at(app, THIEF) as thief:
        ada, vera = await log_in(owner, "ada"), await log_in(thief, "vera")
        signer, now = app.gateway.authority.signer, app.gateway.authority.now()
        # What only the key signs, signed without it; and what a stolen old key would sign for a session not its own.
        strangers = TokenSigner(COLONY, b"k" * 32)
        forged = [
            strangers.issue("ada", Role.ADMIN, now=now, session=ada["session"]).token,
            signer.issue("ada", Role.ADMIN, now=now, session="0" * 32).token,
            signer.issue("ada", Role.ADMIN, now=now, session=vera["session"]).token,
            signer.issue("ada", Role.ADMIN, now=now).token,
        ]
        assert [await reads(thief, {"access_token": token}) for token in forged] == [False] * 4
        turns = [
            signer.issue("ada", Role.ADMIN, now=now, kind="refresh", session=vera["session"]).token,
            signer.issue("ada", Role.ADMIN, now=now, kind="refresh", session=ada["session"], turn=9).token,
            signer.issue("ada", Role.ADMIN, now=now, kind="refresh").token,
        ]
        assert [(await refresh(thief, {"refresh_token": token})).status_code for token in turns] == [401] * 3
        assert await reads(owner, ada), "what did not get in ended nothing"
        assert await reads(thief, vera)


async def test_an_id_of_a_session_is_no_key_to_it(app: GatewayApp) -> None:
    async with at(app, OWNER) as owner, at(app, THIEF) as thief:
        ada, vera = await log_in(owner, "ada"), await log_in(thief, "vera")
        headers = {"authorization": f"Bearer {vera['access_token']}"}
        for name in (ada["session"], "..", "%2e%2e%2fusers%2fada", "x" * 300, "%00", "\u202e"):
            answer = await thief.delete(f"/v1/sessions/{name}", headers=headers)
            assert answer.status_code in (404, 405, 422), name
        assert await reads(owner, ada)
        listed = (await thief.get("/v1/sessions", headers=headers)).json()["sessions"]
        assert [one["id"] for one in listed] == [vera["session"]]
