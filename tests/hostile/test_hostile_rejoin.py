"""Attack 1: a worker joins again under its id and key to become more than an admin made it."""

from __future__ import annotations

import time

import pytest

from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.queen import overview
from aware_agent.security.joining import JoinAnswer, KeyDenied, NameTaken, parse_join_request
from aware_agent.security.jwt import TokenSigner, Unauthenticated
from aware_agent.security.refusals import NotAMember
from aware_agent.security.roles import Role
from aware_agent.security.token import TokenRefused
from tests.hostile.reign_support import Newcomer, Reign

pytestmark = pytest.mark.etcd


def is_worker(reign: Reign, newcomer: Newcomer, answer: JoinAnswer) -> bool:
    """Whether it was given nothing that only an eligible node is given."""
    kept = newcomer.secrets(answer)
    given = {kept.colony_secret, *kept.others.values()}
    return not kept.whole and reign.material.secret not in given and not reign.record(newcomer).eligible


async def test_a_token_makes_workers_unless_an_admin_said_otherwise(reign: Reign) -> None:
    worker, member = reign.newcomer("worker"), reign.newcomer("member")
    assert is_worker(reign, worker, await reign.join(worker, await reign.token()))
    kept = member.secrets(await reign.join(member, await reign.token(eligible=True)))
    assert kept.whole
    assert kept.colony_secret == reign.material.secret
    assert reign.record(member).eligible


async def test_the_request_has_no_word_for_it(reign: Reign) -> None:
    token = await reign.token()
    raw = f'{{"candidate":true,"eligible":true,"token_id":"{token.id}"}}'.encode()
    with pytest.raises(InvalidInput, match="unknown field"):
        parse_join_request(raw)


async def test_joining_again_with_the_same_token_raises_nothing(reign: Reign) -> None:
    worker, token = reign.newcomer("worker"), await reign.token(uses=1)
    await reign.join(worker, token)
    again = await reign.join(worker, token)  # used up; its answer may have been lost
    assert is_worker(reign, worker, again)
    forged = (
        TokenSigner(reign.colony, worker.secrets(again).colony_secret).issue("admin", Role.ADMIN, now=time.time()).token
    )
    with pytest.raises(Unauthenticated):
        TokenSigner(reign.colony, reign.material.secret).verify(forged, now=time.time())


async def test_a_used_up_or_expired_token_of_somebody_else_raises_nothing(reign: Reign) -> None:
    worker, member = reign.newcomer("worker"), reign.newcomer("member")
    await reign.join(worker, await reign.token())
    used_up, expired = await reign.token(eligible=True), await reign.token(eligible=True)
    await reign.join(member, used_up)
    await reign.expire(expired)
    for token in (used_up, expired):
        with pytest.raises(TokenRefused):
            await reign.join(worker, token)
    assert not reign.record(worker).eligible


async def test_an_eligible_token_with_a_use_left_is_an_admins_word_and_is_spent(reign: Reign) -> None:
    worker, token = reign.newcomer("worker"), await reign.token(eligible=True)
    await reign.join(worker, await reign.token())
    answer = await reign.join(worker, token)
    assert worker.secrets(answer).whole
    assert reign.record(worker).eligible
    with pytest.raises(TokenRefused, match="used up"):
        await reign.join(reign.newcomer("another"), token)


async def test_no_token_makes_a_member_less(reign: Reign) -> None:
    member = reign.newcomer("member")
    await reign.join(member, await reign.token(eligible=True))
    assert member.secrets(await reign.join(member, await reign.token())).whole
    assert reign.record(member).eligible


async def test_a_removed_nodes_key_is_denied_whatever_token_it_finds(reign: Reign) -> None:
    thief, reusable = reign.newcomer("thief"), await reign.token(uses=None, eligible=True)
    await reign.join(thief, reusable)
    await reign.remove(thief)
    for name in ("thief", "honest"):
        thief.name = name
        with pytest.raises(KeyDenied, match="its key with it"):
            await reign.join(thief, reusable)
    thief.id = reign.newcomer("x").id  # another id is no way round: the key is what is denied
    with pytest.raises(KeyDenied):
        await reign.join(thief, reusable)
    with pytest.raises(NotAMember):
        await reign.certificates.renew(thief.renewal(), "127.0.0.1")
    await reign.join(reign.newcomer("thief"), reusable)  # the name is free for a node with a key of its own


async def test_an_admin_lets_a_denied_key_in_again(reign: Reign) -> None:
    node, token = reign.newcomer("node"), await reign.token(uses=None)
    await reign.join(node, token)
    await reign.remove(node)
    (denied,) = overview.denied(reign.reader)
    assert (denied.node_id, denied.name, denied.removed_by) == (node.id, "node", "ada")
    with pytest.raises(NotFound):
        await reign.nodes.allow_key("x" * 43, actor="ada")
    await reign.nodes.allow_key(denied.key_pin, actor="ada")
    await reign.join(node, token)
    assert overview.denied(reign.reader) == []


async def test_a_token_gives_nobody_another_nodes_name_or_id(reign: Reign) -> None:
    known, liar, token = reign.newcomer("known"), reign.newcomer("known"), await reign.token(uses=None)
    await reign.join(known, token)
    with pytest.raises(NameTaken):
        await reign.join(liar, token)
    liar.name, liar.id = "another", known.id
    with pytest.raises(NameTaken, match="another key"):
        await reign.join(liar, token)
    assert reign.record(known).name == "known"
