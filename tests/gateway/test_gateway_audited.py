"""Every route that writes has a line of the audit log in its very transaction; no command is without one.

The routes are those of the test of races, where one that is missing fails; commands that no request of theirs reaches
are given to a queen here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from aware_agent.channel.frames import CollectDiagnostics
from aware_agent.colony.audit import Asker, AuditLine, Kind
from aware_agent.queen import commands as do
from aware_agent.security.providers import KeystoneProvider, Rule
from aware_agent.security.roles import Role
from aware_agent.security.rotating import NewTrust
from tests.gateway.real_queen import WRITES, Queen, Raced
from tests.hostile.reign_support import Newcomer
from tests.memory_colony import node_id
from tests.unit.queen_support import Queen as QueenAlone
from tests.unit.queen_support import with_council

# What the audit log calls it.
ACTIONS = {
    "PATCH /v1/nodes/{node}": "change-node",
    "PUT /v1/nodes/{node}/away": "send-away",
    "DELETE /v1/nodes/{node}/away": "bring-back",
    "PUT /v1/nodes/{node}/config": "put-config",
    "DELETE /v1/nodes/{node}": "remove-node",
    "PUT /v1/spec": "put-spec",
    "POST /v1/spec/rollback": "roll-back-spec",
    "POST /v1/nodes/{node}/config/rollback": "roll-back-config",
    "PUT /v1/users/{name}": "put-user",
    "DELETE /v1/users/{name}": "delete-user",
    "PUT /v1/identity-providers/{name}": "put-provider",
    "DELETE /v1/identity-providers/{name}": "delete-provider",
    "PUT /v1/secrets/{name}": "put-secret",
    "DELETE /v1/secrets/{name}": "delete-secret",
    "POST /v1/service-accounts": "create-service-account",
    "DELETE /v1/service-accounts/{name}": "delete-service-account",
    "POST /v1/service-accounts/{name}/tokens": "create-service-token",
    "DELETE /v1/service-accounts/{name}/tokens/{token_id}": "revoke-service-token",
    "POST /v1/tokens": "create-token",
    "DELETE /v1/tokens/{token_id}": "revoke-token",
    "DELETE /v1/denied-keys/{key}": "allow-key",
    "POST /v1/auth/refresh": "refresh-session",
    "POST /v1/auth/token": "begin-session",
    "DELETE /v1/auth/token": "end-session",
    "DELETE /v1/sessions": "end-sessions",
    "DELETE /v1/sessions/{session_id}": "end-session",
    "DELETE /v1/users/{name}/sessions": "end-sessions",
    "POST /v1/backups": "request-backup",
    "POST /v1/webhooks": "create-webhook",
    "PATCH /v1/webhooks/{webhook_id}": "change-webhook",
    "DELETE /v1/webhooks/{webhook_id}": "remove-webhook",
    "POST /v1/webhooks/{webhook_id}/secret": "rotate-webhook-secret",
    "DELETE /v1/webhooks/{webhook_id}/dead": "drop-dead",
    "POST /v1/webhooks/{webhook_id}/dead/replay": "replay-dead",
    "DELETE /v1/webhooks/{webhook_id}/dead/{event_id}": "drop-dead",
    "POST /v1/webhooks/{webhook_id}/dead/{event_id}/replay": "replay-dead",
    "POST /v1/rotation": "start-rotation",
    "POST /v1/hooks/sign": "record-signed",
    "POST /v1/hooks/heat/{cluster}": "accept-hook",
    "POST /v1/jobs": "run-job",
    "POST /v1/jobs/{job_id}/cancel": "cancel-job",
    "POST /v1/jobs/{job_id}/retry": "retry-job",
    "POST /v1/check": "begin-check",
    "DELETE /v1/check/{run}": "end-check",
    "POST /v1/join": "join",
}
UNTOLD = {
    "PUT /v1/check/{run}",  # the line about the check's end says how many there were
    "PUT /v1/castes/{name}/demand",  # a measurement every few seconds; what a caste makes of it is told
}
READS = {"read-channel", "report-rotation", "read-check", "write-check", "note-uses", "put-demand"}
BY_NODES = {"POST /v1/join"}
BY_URL = {"POST /v1/hooks/heat/{cluster}"}
BY_ITSELF = {"POST /v1/auth/token", "POST /v1/auth/refresh"}  # what it carries proves who asks
KEYSTONE = KeystoneProvider(url="https://cloud:5000/v3", rules=(Rule(role=Role.VIEWER, values=("a",)),))


@pytest.fixture
async def queen(tmp_path: Path) -> AsyncIterator[Queen]:
    async with Raced() as client:
        queen = await Queen(client, tmp_path).begin()
        yield queen
        await queen.end()


def written(queen: Any, after: int) -> dict[int, list[bytes]]:
    """Keys that were written after that revision, by revision."""
    found: dict[int, list[bytes]] = {}
    for kv in queen.projection.items():
        if kv.mod_revision > after:
            found.setdefault(kv.mod_revision, []).append(kv.key)
    return found


def lines(queen: Any, after: int = 0) -> list[AuditLine]:
    found = queen.projection.items(queen.keys.key("audit", ""))
    return [msgspec.json.decode(kv.value, type=AuditLine) for kv in found if kv.mod_revision > after]


def test_no_route_that_writes_is_left_out() -> None:
    assert WRITES.keys() == ACTIONS.keys() | UNTOLD


@pytest.mark.parametrize("route", ACTIONS)
async def test_each_write_of_a_request_has_its_line_in_the_same_transaction(queen: Queen, route: str) -> None:
    async with queen.http() as http:
        request = await queen.request(http, route)
        before = queen.projection.revision
        answer = await http.request(**request, headers={"x-request-id": "asked-1"})
    assert answer.is_success, answer.text
    made = written(queen, before)
    assert made, "nothing was written"
    prefix = queen.keys.key("audit", "")
    untold = {revision: keys for revision, keys in made.items() if not any(key.startswith(prefix) for key in keys)}
    assert not untold
    told = [line for line in lines(queen, before) if line.request == "asked-1"]
    assert {line.action for line in told} == {ACTIONS[route]}
    line = told[0]
    assert (line.route, line.source, line.result, line.status) == (route, "127.0.0.1", "done", 200)
    assert (line.member, line.term) == (queen.material.founder_id, queen.reign.term)
    assert line.change
    if route in BY_NODES:
        assert (line.kind, line.credential) == (Kind.NODE, f"token:{queen.material.token.id}")
    elif route in BY_URL:
        assert (line.actor, line.credential[:4]) == ("admin", "url:")
    else:
        assert (line.actor, line.kind) == ("admin", Kind.USER)
        assert line.subject or route in BY_ITSELF
        assert line.credential.startswith("session:") or route == "POST /v1/auth/token"
    shown = msgspec.json.encode(told).decode()
    for secret in (queen.refresh, queen.material.token.secret):
        assert secret not in shown


def test_no_command_is_left_out() -> None:
    tags = {str(kind.__struct_config__.tag) for kind in get_args(do.AnyCommand)}
    assert tags == {*ACTIONS.values(), *OTHERS, *READS, "renew", "begin-federated"}


OTHERS: dict[str, Any] = {
    "step-down": do.StepDown(),
    "transfer": do.Transfer(node=node_id(1)),
    "move-seat": do.MoveSeat(source="demo-2", target="demo-4"),
    "order-node": do.OrderNode(node=node_id(1), order=CollectDiagnostics()),
    "note-intrusion": do.NoteIntrusion(counts={"login": 9}, sources={"192.0.2.1": 9}),
    "revoke-access": do.RevokeAccess(jti="j", expires_at=2.0**33),
    "continue-rotation": do.ContinueRotation(),
    "abort-rotation": do.AbortRotation(),
    "test-webhook": do.TestWebhook(webhook=""),
}


@pytest.mark.parametrize("tag", OTHERS)
async def test_each_other_command_has_its_line(tag: str) -> None:
    alone, command = with_council() if tag == "move-seat" else QueenAlone(), OTHERS[tag]
    if "rotation" in tag:
        await alone.run(do.StartRotation(new=NewTrust(), hold=True, patience_s=60.0))
    if tag == "test-webhook":
        made = await alone.run(do.CreateWebhook(url="https://hooks.invalid/"))
        command = do.TestWebhook(webhook=made.record.id)
    before = alone.colony.projection.revision
    asker = Asker(kind=Kind.USER, request="asked-2", source="192.0.2.7")
    done = alone.colony.answer(command, await alone.colony.execute(alone.reign, command, actor="ada", asker=asker))
    assert all(
        any(key.startswith(alone.colony.keys.key("audit", "")) for key in keys)
        for keys in written(alone.colony, before).values()
    )
    line = lines(alone.colony, before)[-1]
    assert (line.action, line.actor, line.request, line.source) == (tag, "ada", "asked-2", "192.0.2.7")
    assert line.change
    if tag == "test-webhook":
        assert not done.delivered
        assert line.subject == command.webhook


async def test_a_renewal_is_told_as_the_nodes_own(queen: Queen) -> None:
    newcomer = Newcomer(queen.keys.colony, "demo-3")
    async with queen.http() as http:
        for path, request in (("join", newcomer.request(queen.material.token)), ("renew", newcomer.renewal())):
            body = msgspec.json.decode(msgspec.json.encode(request))
            answer = await http.post(f"/v1/{path}", json=body)
            assert answer.status_code == 200, answer.text
    line = lines(queen)[-1]
    assert (line.action, line.kind, line.subject) == ("renew", Kind.NODE, newcomer.id)


async def test_a_login_by_an_identity_provider_is_told() -> None:
    alone = QueenAlone()
    await alone.run(do.PutProvider(name="corp", provider=KEYSTONE))
    stored = alone.colony.projection.get(alone.colony.keys.key("identity-providers", "corp"))
    assert stored is not None
    login = do.BeginFederated(provider="corp", revision=stored.mod_revision, subject="a", role=Role.VIEWER)
    await alone.run(login, actor="corp:a")
    line = lines(alone.colony)[-1]
    assert (line.action, line.actor) == ("begin-federated", "corp:a")


async def test_a_policy_of_security_is_told_by_what_it_was_and_is(queen: Queen) -> None:
    async with queen.http() as http:
        spec = (await http.get("/v1/spec")).json()["spec"]
        spec["policies"]["keep_audit"] = 2000
        assert (await http.put("/v1/spec", json=spec)).is_success
    line = lines(queen)[-1]
    assert line.action == "put-spec"
    assert line.change.startswith("policies.keep_audit: 5000 -> 2000")
