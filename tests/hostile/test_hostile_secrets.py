"""Attack 6: whoever ends the TLS of a join or a renewal reads along, or relays another node's request as its own."""

from __future__ import annotations

import msgspec
import pytest

from aware_agent.security.joining import JOIN_CONTEXT, JoinAnswer
from aware_agent.security.pem import CsrRefused
from aware_agent.security.refusals import RenewalRefused
from aware_agent.security.renewing import sign_request
from aware_agent.security.sealing import NotForUs, Purpose
from aware_agent.security.signing import sign
from tests.hostile.reign_support import Reign

pytestmark = pytest.mark.etcd


async def test_what_passes_by_holds_no_secret(reign: Reign) -> None:
    member, between = reign.newcomer("member"), reign.newcomer("between")
    joined = await reign.join(member, await reign.token(eligible=True))
    renewed = await reign.certificates.renew(member.renewal(), "127.0.0.1")
    secret = reign.material.secret
    answers: dict[Purpose, JoinAnswer] = {"join": joined, "renew": renewed}
    for purpose, answer in answers.items():
        raw = msgspec.json.encode(answer)
        assert msgspec.json.encode(secret).strip(b'"') not in raw
        assert member.secrets(answer, purpose).colony_secret == secret
        with pytest.raises(NotForUs):
            between.secrets(answer, purpose)


async def test_an_answer_opens_for_its_node_colony_and_purpose_only(reign: Reign) -> None:
    member = reign.newcomer("member")
    answer = await reign.join(member, await reign.token(eligible=True))
    with pytest.raises(NotForUs):
        member.secrets(answer, "renew")
    for field, other in (("colony", "elsewhere"), ("id", "0" * 26)):
        mine = getattr(member, field)
        setattr(member, field, other)
        with pytest.raises(NotForUs):
            member.secrets(answer)
        setattr(member, field, mine)
    for bad in (b"", answer.sealed[:-1], bytes([answer.sealed[0] ^ 1]) + answer.sealed[1:]):
        with pytest.raises(NotForUs):
            member.secrets(msgspec.structs.replace(answer, sealed=bad))


async def test_a_relayed_request_cannot_be_made_to_answer_somebody_else(reign: Reign) -> None:
    """The key secrets are encrypted for is under the node's signature: nobody between can put its own there."""
    member, between, token = reign.newcomer("member"), reign.newcomer("between"), await reign.token(eligible=True)
    theirs, carried = between.opener.public, member.request(token)
    for forged in (
        msgspec.structs.replace(carried, box_key=theirs),
        sign(msgspec.structs.replace(carried, box_key=theirs), between.key, JOIN_CONTEXT),
        msgspec.structs.replace(carried, signature=b""),
    ):
        with pytest.raises(CsrRefused):
            await reign.admission.join(forged, "127.0.0.1")
    await reign.join(member, token)
    renewal = member.renewal()
    for altered in (
        msgspec.structs.replace(renewal, box_key=theirs),
        sign_request(msgspec.structs.replace(renewal, box_key=theirs), between.key),
    ):
        with pytest.raises(RenewalRefused):
            await reign.certificates.renew(altered, "127.0.0.1")


async def test_a_key_that_is_none_is_refused_in_one_sentence(reign: Reign) -> None:
    member = reign.newcomer("member")
    request = msgspec.structs.replace(member.request(await reign.token()), box_key=bytes(32))
    with pytest.raises(CsrRefused, match="no key to encrypt for"):
        await reign.admission.join(sign(request, member.key, JOIN_CONTEXT), "127.0.0.1")
    assert member.id not in reign.reader.records()
