"""Every route with every kind of credential: let in, 401 or 403, as the table says, and nothing in between."""

from __future__ import annotations

import os
from typing import Any

import httpx
import msgspec
import pytest

from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.backup import BackupPolicy
from aware_agent.colony.errors import AwareError
from aware_agent.colony.session import Session
from aware_agent.colony.spec import CasteSpec, Policies
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.throttle import Throttle
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from tests.gateway.conftest import USERS, As, Headers
from tests.gateway.memory import MemoryContext
from tests.gateway.service_accounts import bearer, put_account
from tests.gateway.test_gateway_roles import TABLE, _path

ORDER = (Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.SECURITY_ADMIN)
# What no program does, whatever its role.
PEOPLE = {
    ("PUT", "/v1/users/{name}"),
    ("PUT", "/v1/identity-providers/{name}"),
    ("POST", "/v1/service-accounts"),
    ("POST", "/v1/service-accounts/{name}/tokens"),
    ("POST", "/v1/hooks/sign"),
    ("POST", "/v1/webhooks"),
    ("PATCH", "/v1/webhooks/{webhook_id}"),
    ("POST", "/v1/webhooks/{webhook_id}/secret"),
    ("POST", "/v1/rotation"),
}
OWN = {("GET", "/v1/auth/me"), ("POST", "/v1/auth/ticket"), ("DELETE", "/v1/auth/token")}
VERAS = ("DELETE", "/v1/users/{name}/sessions")  # vera's, in these tests: her own, else an admin's to end
LOG_OUT = ("DELETE", "/v1/auth/token")
ORDERED = ("POST", "/v1/hooks/heat/{cluster}")
# They are read by another verb, or by whoever is known.
OTHER_VERBS = ("/v1/check/{run}", "/v1/auth/me", "/v1/jobs/{job_id}/log")
# Scopes of an account with role security-admin, and all the guarded routes they open.
SCOPED: dict[tuple[str, ...], set[tuple[str, str]]] = {
    ("inventory:read",): {("GET", "/v1/inventory")},
    ("*:read",): {
        (method, path)
        for method, path, role, _ in TABLE
        if method == "GET" and role is not None and path not in OTHER_VERBS
    },
    ("nodes:cordon@caste=web",): {("PATCH", "/v1/nodes/{node}")},
    ("nodes:cordon@caste=store",): set(),
    ("nodes:read@caste=web",): {("GET", "/v1/nodes/{node}"), ("GET", "/v1/nodes/{node}/channel")},
    ("hooks:order@caste=web",): set(),
    ("hooks:order",): {ORDERED},
    ("users:*", "service-accounts:*"): {
        ("GET", "/v1/users"),
        ("GET", "/v1/users/{name}"),
        ("DELETE", "/v1/users/{name}"),
        ("GET", "/v1/service-accounts"),
        ("GET", "/v1/service-accounts/{name}"),
        ("DELETE", "/v1/service-accounts/{name}"),
        ("DELETE", "/v1/service-accounts/{name}/tokens/{token_id}"),
    },
    ("*:*",): {(method, path) for method, path, role, _ in TABLE if role is not None} | {ORDERED},
}


class Stopped(AwareError):
    """The request was let in; nothing is done."""

    code = "stopped"
    status = 503


@pytest.fixture
def queen(context: MemoryContext, app: GatewayApp) -> MemoryContext:
    castes = {"web": CasteSpec(count=2), "store": CasteSpec(count=1)}
    context.memory.put_spec(size=5, castes=castes, policies=Policies(backup=BackupPolicy(every="6h")))
    context.commands.error = Stopped("the role was enough")
    wide = GatewaySettings(requests_per_s=1e4, requests_per_s_per_source=1e4, requests_per_s_of_strangers=1e4)
    app.gateway.throttle = Throttle(wide)  # how many requests there may be is not asked here
    return context


async def _walk(client: httpx.AsyncClient, headers: Headers) -> dict[tuple[str, str], int]:
    found = {}
    for method, path, role, body in TABLE:
        if "stream" in path or (role is None and (method, path) != ORDERED):
            continue
        response = await client.request(method, _path(path), json=body, headers=headers)
        found[method, path] = response.status_code
        assert response.status_code < 500 or response.json()["code"] in ("stopped", "no-queen"), (method, path)
    return found


def _allowed(role: Role) -> set[tuple[str, str]]:
    """By the rows of the other test, not by the code."""
    rows: dict[tuple[str, str], Role | None] = {(m, p): needed for m, p, needed, _ in TABLE}
    rows |= {ORDERED: Role.OPERATOR, VERAS: Role.ADMIN}
    return {row for row, needed in rows.items() if needed and ORDER.index(needed) <= ORDER.index(role)}


def _check(found: dict[tuple[str, str], int], allowed: set[tuple[str, str]]) -> None:
    for row, status in found.items():
        assert (status == 403) == (row not in allowed), (row, status)
        assert status != 401, row


@pytest.mark.parametrize("role", ORDER)
async def test_people(anonymous: httpx.AsyncClient, queen: MemoryContext, as_: As, role: Role) -> None:
    allowed = _allowed(role) | ({VERAS} if USERS[role] == "vera" else set())
    _check(await _walk(anonymous, as_(role)), allowed)


@pytest.mark.parametrize("role", ORDER)
async def test_programs_without_scopes(anonymous: httpx.AsyncClient, queen: MemoryContext, role: Role) -> None:
    headers = bearer(put_account(queen, "deploy", role))
    _check(await _walk(anonymous, headers), _allowed(role) - PEOPLE - {LOG_OUT})


@pytest.mark.parametrize("scopes", SCOPED, ids=" ".join)
@pytest.mark.parametrize("of", ["account", "token"])
async def test_programs_with_scopes(
    anonymous: httpx.AsyncClient, queen: MemoryContext, scopes: tuple[str, ...], of: str
) -> None:
    """Narrowed as an account, or by the token alone."""
    if of == "account":
        token = put_account(queen, "deploy", Role.SECURITY_ADMIN, *scopes)
    else:
        token = put_account(queen, "deploy", Role.SECURITY_ADMIN, token_scopes=scopes)
    for _ in range(2):  # the second time it is known
        _check(await _walk(anonymous, bearer(token)), (SCOPED[scopes] | OWN) - PEOPLE - {LOG_OUT})


async def test_a_scope_never_widens_a_role(anonymous: httpx.AsyncClient, queen: MemoryContext) -> None:
    """All scopes there are, and the role of a viewer; or that of an owner who is a viewer now."""
    reading = _allowed(Role.VIEWER) - {LOG_OUT}
    _check(await _walk(anonymous, bearer(put_account(queen, "one", Role.VIEWER, "*:*"))), reading)
    two = bearer(put_account(queen, "two", Role.SECURITY_ADMIN, "*:*", owner="vera"))
    _check(await _walk(anonymous, two), reading)


async def test_what_is_no_credential(
    anonymous: httpx.AsyncClient, app: GatewayApp, queen: MemoryContext, as_: As
) -> None:
    """Nobody, nonsense, what expired, what was revoked, what belonged to who is gone, and what is of another use."""
    authority, now = app.gateway.authority, app.gateway.authority.now()
    admin = as_(Role.SECURITY_ADMIN)
    ticket = (await anonymous.post("/v1/auth/ticket", headers=admin)).json()["ticket"]
    key = os.urandom(16).hex()
    session = Session(user="ada", user_id="", begun_at=now, refreshed_at=now)
    queen.put(queen.keys.key("sessions", key), session)
    issue = authority.signer.issue
    ended = issue("ada", Role.SECURITY_ADMIN, now=now, session="e" * 32).token
    expired = issue("ada", Role.SECURITY_ADMIN, now=now - 7200, session=key).token
    refresh = issue("ada", Role.SECURITY_ADMIN, now=now, session=key, kind="refresh").token
    good = put_account(queen, "deploy", Role.SECURITY_ADMIN)
    assert (await anonymous.get("/v1/auth/me", headers=bearer(good))).status_code == 200, "it is known, and cached"
    other = put_account(queen, "deploy", Role.SECURITY_ADMIN)  # deleted and made anew under the same name
    renamed = other.replace(".deploy.", ".deploy-2.")
    put_account(queen, "deploy-2", Role.SECURITY_ADMIN)
    deleted = put_account(queen, "gone", Role.SECURITY_ADMIN)
    queen.delete(queen.keys.key("service-accounts", "gone"))
    orphan = put_account(queen, "orphan", Role.SECURITY_ADMIN, owner="nina")
    signed = "by=ada&exp=9999999999&sig=x"
    credentials = {
        "none": {},
        "basic": {"authorization": "Basic YWRhOmI="},
        "ended session": bearer(ended),
        "expired": bearer(expired),
        "refresh token": bearer(refresh),
        "ticket": bearer(ticket),
        "of the account before": bearer(good),
        "of another account": bearer(renamed),
        "wrong secret": bearer(other[:-1] + ("A" if other[-1] != "A" else "B")),
        "cut": bearer(other[:-1]),
        "deleted account": bearer(deleted),
        "owner who never was": bearer(orphan),
        "expired account": bearer(put_account(queen, "late", Role.SECURITY_ADMIN, ttl_s=-1.0)),
        "upper case": bearer(other.upper()),
    }
    for name, headers in credentials.items():
        for row, status in (await _walk(anonymous, headers)).items():
            assert status == 401, (name, row)
    for method, path, role, body in TABLE:
        if role is not None:
            answer = await anonymous.request(method, f"{_path(path)}?{signed}", json=body)
            assert answer.status_code == 401, "a signed query opens its own route alone"


async def test_a_program_of_somebody_made_anew_is_nobodys(anonymous: httpx.AsyncClient, queen: MemoryContext) -> None:
    token = put_account(queen, "deploy", Role.ADMIN, owner="anna")
    assert (await anonymous.get("/v1/auth/me", headers=bearer(token))).json()["role"] == "admin"
    anna = queen.reader.one("users/anna", UserRecord)
    assert anna is not None
    queen.put(queen.keys.key("users", "anna"), msgspec.structs.replace(anna, id="another"))
    assert (await anonymous.get("/v1/auth/me", headers=bearer(token))).status_code == 401
    queen.put(queen.keys.key("users", "anna"), msgspec.structs.replace(anna, role=Role.VIEWER))
    assert (await anonymous.get("/v1/auth/me", headers=bearer(token))).json()["role"] == "viewer"


def test_every_role_has_a_user() -> None:
    assert tuple(USERS) == ORDER
    rows: list[tuple[str, str, Role | None, Any]] = TABLE
    assert {(m, p) for m, p, _, _ in rows} >= PEOPLE | OWN
