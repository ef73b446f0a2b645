"""Who is let in, with what, and what of that is on record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.node import Record, Status
from aware_agent.colony.spec import CasteSpec
from aware_agent.queen import commands as do
from aware_agent.security import pki
from aware_agent.security.joining import JoinAnswer, JoinRequest, KeyDenied, NameTaken
from aware_agent.security.pem import CsrRefused
from aware_agent.security.token import JoinToken, TokenRecord, TokenRefused, parse_token
from tests.memory_colony import colony_ca, join_request, node_id

KEY = pki.make_key()


@pytest.fixture
def queen() -> Queen:
    return Queen()


async def a_token(queen: Queen, **fields: Any) -> JoinToken:
    return parse_token((await queen.run(do.CreateToken(**fields))).text)


def asks(token: JoinToken, **changes: Any) -> JoinRequest:
    return join_request(token.id, token.secret, key=KEY, **changes)


async def join(queen: Queen, request: JoinRequest) -> JoinAnswer:
    answer: JoinAnswer = await queen.run(do.Join(request=request))
    return answer


def record(queen: Queen, number: int = 9) -> Record:
    return queen.colony.reader.records()[node_id(number)]


@pytest.mark.parametrize("away", [False, True])
async def test_one_that_is_alive_does_not_join_again_away_or_not(queen: Queen, away: bool) -> None:
    token = await a_token(queen, uses=2, eligible=True)
    await join(queen, asks(token))
    shown = msgspec.structs.replace(record(queen, 1).report, name="demo-10")  # type: ignore[type-var]
    queen.colony.put(queen.colony.keys.key("presence", node_id(9)), shown)
    await queen.reign._reconciler.once()
    if away:
        await queen.run(do.SendAway(node="demo-10"))
    assert "demo-10 is alive already" in await refused(queen, do.Join(request=asks(token)), Conflict)
    queen.colony.delete(queen.colony.keys.key("presence", node_id(9)))
    await queen.reign._reconciler.once()
    await join(queen, asks(token))
    assert record(queen).status is (Status.AWAY if away else Status.SUSPECT)


async def test_a_newcomer_gets_a_certificate_of_its_own_name(queen: Queen) -> None:
    token = await a_token(queen, uses=2)
    answer = await join(queen, asks(token))
    facts = pki.facts(answer.certificate.encode())
    assert facts.common_name == node_id(9)
    assert not any(name.startswith("council.") for name in facts.sans), "nobody said that it may sit in the council"
    assert pki.is_issued_by(answer.certificate.encode(), colony_ca().certificate)
    assert pki.is_pair(answer.certificate.encode(), KEY)
    known = record(queen)
    assert (known.name, known.status, known.eligible, known.joined_with) == ("demo-10", Status.SUSPECT, False, token.id)
    assert known.key_pin == pki.key_pin(KEY)
    stored = queen.colony.reader.one(f"tokens/{token.id}", TokenRecord)
    assert stored is not None
    assert stored.uses_left == 1
    assert queen.told() == ["token.created", "node.joined"]
    joined = queen.events()[-1]
    assert joined.actor == node_id(9)
    assert token.secret not in str(joined)


async def test_record_use_and_event_are_one_revision(queen: Queen) -> None:
    token = await a_token(queen, uses=1)
    await join(queen, asks(token))
    keys = queen.colony.keys
    written = [
        queen.colony.projection.get(key) for key in (keys.key("nodes", node_id(9)), keys.key("tokens", token.id))
    ]
    revisions = {kv.mod_revision for kv in written if kv}
    assert revisions == {queen.colony.history.since(queen.begun_at, 10)[-1][0]}


async def test_only_an_admins_token_makes_a_council_member(queen: Queen) -> None:
    answer = await join(queen, asks(await a_token(queen, eligible=True)))
    assert record(queen).eligible
    assert any(name.startswith("council.") for name in pki.facts(answer.certificate.encode()).sans)


async def test_a_join_whose_answer_was_lost_costs_no_second_use_and_gives_nothing_more(queen: Queen) -> None:
    token = await a_token(queen, uses=1)
    first = await join(queen, asks(token))
    again = await join(queen, asks(token))
    assert again.joined_at == first.joined_at
    assert not record(queen).eligible
    await refused(queen, do.Join(request=join_request(token.id, token.secret, number=8)), TokenRefused)


async def test_joining_again_with_another_token_gives_what_that_grants_and_takes_nothing(queen: Queen) -> None:
    await join(queen, asks(await a_token(queen, eligible=True)))
    await join(queen, asks(await a_token(queen)))
    assert record(queen).eligible


async def test_who_joins_again_is_drained_as_before(queen: Queen) -> None:
    """A new disk gives nobody work again."""
    await join(queen, asks(await a_token(queen)))
    await queen.run(do.ChangeNode(node=record(queen).id, drained=True))
    await join(queen, asks(await a_token(queen)))
    assert (record(queen).cordoned, record(queen).drained) == (True, True)


@pytest.mark.parametrize(
    ("fields", "name", "error"),
    [
        ({"node_name": "db-1"}, "demo-10", TokenRefused),
        ({}, "demo-2", NameTaken),
        ({}, "web", NameTaken),
    ],
)
async def test_whom_a_good_token_does_not_help(
    queen: Queen, fields: dict[str, Any], name: str, error: type[Exception]
) -> None:
    queen.colony.put_spec(size=3, castes={"web": CasteSpec(count=1)})
    token = await a_token(queen, **fields)
    assert await refused(queen, do.Join(request=asks(token, name=name)), error)


@pytest.mark.parametrize(("token_id", "secret"), [("0" * 16, None), (None, "x" * 43)])
async def test_a_wrong_token_opens_nothing(queen: Queen, token_id: str | None, secret: str | None) -> None:
    token = await a_token(queen)
    wrong = join_request(token_id or token.id, secret or token.secret, key=KEY)
    said = await refused(queen, do.Join(request=wrong), TokenRefused)
    assert token.secret not in said


async def test_a_request_that_was_changed_on_its_way_is_refused(queen: Queen) -> None:
    request = asks(await a_token(queen))
    forged = msgspec.structs.replace(request, node_id=node_id(7))
    await refused(queen, do.Join(request=forged), CsrRefused)
    other = asks(await a_token(queen), colony="other")
    await refused(queen, do.Join(request=other), InvalidInput)


async def test_a_living_nodes_place_is_not_taken_even_with_its_key(queen: Queen) -> None:
    token = await a_token(queen)
    await join(queen, asks(token))
    queen.colony.add_node(9, record={"key_pin": pki.key_pin(KEY)})
    await refused(queen, do.Join(request=asks(token)), Conflict)
    stranger = join_request(token.id, token.secret, number=9)
    await refused(queen, do.Join(request=stranger), NameTaken)


async def test_a_removed_nodes_key_is_denied_until_an_admin_lets_it_in_again(queen: Queen) -> None:
    token = await a_token(queen)
    await join(queen, asks(token))
    assert "is suspect" in await refused(queen, do.RemoveNode(node=node_id(9)), Conflict)
    await queen.run(do.RemoveNode(node="demo-10", force=True))
    assert node_id(9) not in queen.colony.reader.records()
    await refused(queen, do.Join(request=asks(token)), KeyDenied)
    renamed = join_request(token.id, token.secret, number=8, key=KEY)
    await refused(queen, do.Join(request=renamed), KeyDenied)
    await queen.run(do.AllowKey(key=pki.key_pin(KEY)))
    await join(queen, asks(token))
    assert queen.told()[-3:] == ["node.removed", "node.allowed", "node.joined"]
    await refused(queen, do.AllowKey(key="x" * 43), NotFound)


async def test_the_queen_does_not_remove_herself(queen: Queen) -> None:
    assert "is the queen" in await refused(queen, do.RemoveNode(node="demo-1", force=True), Conflict)
