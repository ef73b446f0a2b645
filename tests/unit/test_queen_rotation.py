"""A rotation of CAs and secret, step by step as the queen takes them: what lies in the store after each."""

from __future__ import annotations

import time

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.event import Severity
from aware_agent.colony.node import TrustReport
from aware_agent.colony.rotation import Phase, Trust
from aware_agent.queen import commands as do
from aware_agent.queen.etcd_probe import EtcdProbe
from aware_agent.queen.secrets import SecretBook
from aware_agent.security import pki
from aware_agent.security.colony_secret import SecretRecord, TextSecret
from aware_agent.security.keyring import fingerprint, proof, share
from aware_agent.security.providers import OidcProvider, ProviderRecord, provider_sealer
from aware_agent.security.records import CaRecord
from aware_agent.security.rotating import NewTrust
from aware_agent.security.sealed import colony_sealer
from aware_agent.security.token import TokenRecord, beacon_key, parse_token
from tests.memory_colony import SECRET, colony_ca, council_ca, node_id

NEW_SECRET = bytes(range(32))


@pytest.fixture
def queen(monkeypatch: pytest.MonkeyPatch) -> Queen:
    """etcd itself goes along: whether it does is asked of a real one in the tests of whole colonies."""

    async def nobody_objects(self: EtcdProbe, trust: Trust) -> list[str]:
        return []

    monkeypatch.setattr(EtcdProbe, "problems", nobody_objects)
    return Queen()


def start(*, hold: bool = False, patience_s: float = 600.0, **new: object) -> do.StartRotation:
    fields = {"secret": NEW_SECRET, **new}
    return do.StartRotation(new=NewTrust(**fields), hold=hold, patience_s=patience_s)  # type: ignore[arg-type]


def trust(queen: Queen) -> Trust:
    return queen.colony.reader.one("pki", Trust) or Trust()


def ca(queen: Queen, name: str = "ca") -> bytes:
    record = queen.colony.reader.one(name, CaRecord)
    assert record is not None
    return record.certificate.encode()


def prove(queen: Queen, *secrets: int, signed_by: int = 1, nodes: int = 3, etcd_too: bool = True) -> None:
    """Every node shows that it has these generations, believes what is to be believed, and who signed it."""
    material = {1: SECRET, 2: NEW_SECRET}
    for number in range(nodes):
        proofs = {n: proof(share(material[n], whole=True), node_id(number), "i") for n in secrets}
        shown = TrustReport(
            proofs=proofs,
            signed_by=signed_by,
            not_after=time.time() + 999,
            bundle=fingerprint(trust(queen).ca.encode()),
            council_bundle=fingerprint(trust(queen).council_ca.encode()) if etcd_too else "",
        )
        queen.colony.add_node(number, trust=shown)


async def step(queen: Queen) -> None:
    await queen.reign._rotation._look()


async def test_from_the_first_word_to_the_end(queen: Queen) -> None:
    await queen.run(start())
    assert (trust(queen).phase, trust(queen).generation, trust(queen).other) == (Phase.DISTRIBUTING, 1, 2)
    other, council_other = ca(queen, "ca-other"), ca(queen, "council-ca-other")
    assert len({other, council_other, ca(queen), ca(queen, "council-ca")}) == 4
    assert ca(queen) == colony_ca().certificate, "the old one signs until all have the new one"
    await step(queen)
    assert trust(queen).phase is Phase.DISTRIBUTING, "nobody has shown that it has it"
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    prove(queen, 1, 2, etcd_too=False)
    await step(queen)
    assert trust(queen).phase is Phase.DISTRIBUTING, "eligible nodes have to believe both council CAs as well"
    prove(queen, 1, 2)
    await step(queen)
    assert (trust(queen).phase, trust(queen).generation, trust(queen).other) == (Phase.SWITCHED, 2, 1)
    assert (ca(queen), ca(queen, "ca-other")) == (other, colony_ca().certificate)
    assert (ca(queen, "council-ca"), ca(queen, "council-ca-other")) == (council_other, council_ca().certificate)
    queen.colony.keyring.adopt(2, {1: SECRET, 2: NEW_SECRET})
    prove(queen, 1, 2, signed_by=1)
    await step(queen)
    assert trust(queen).phase is Phase.SWITCHED, "certificates are still of the old CA"
    prove(queen, 1, 2, signed_by=2)
    await step(queen)
    assert (trust(queen).phase, trust(queen).generation, trust(queen).other) == (Phase.FINISHING, 2, 0)
    await step(queen)
    assert trust(queen).phase is Phase.FINISHING, "nodes still believe the old CAs"
    queen.colony.keyring.adopt(2, {2: NEW_SECRET})
    prove(queen, 2, signed_by=2)
    await step(queen)
    assert trust(queen).phase is Phase.SETTLED
    keys = queen.colony.keys
    for gone in ("ca-other", "council-ca-other"):
        assert queen.colony.projection.get(keys.key(gone)) is None
    assert queen.colony.projection.get(keys.key("secret-other")) is None
    assert ca(queen) == other
    assert trust(queen).ca.encode().strip() == other.strip(), "the old CA is not believed any more"
    assert trust(queen).council_ca.encode().strip() == council_other.strip()
    assert queen.told() == ["rotation.distributing", "rotation.switched", "rotation.finishing", "rotation.settled"]


async def test_no_secret_and_no_key_lies_in_the_store_in_the_clear(queen: Queen) -> None:
    new, council = pki.create_ca("demo", time.time()), pki.create_council_ca("demo", time.time())
    await queen.run(start(ca=new, council_ca=council))
    for kv in queen.colony.projection.items():
        assert NEW_SECRET not in kv.value
        assert b"PRIVATE" not in kv.value
    assert not any("PRIVATE" in str(event) for event in queen.events())


async def test_join_tokens_are_sealed_anew_before_the_old_secret_is_forgotten(queen: Queen) -> None:
    token = parse_token((await queen.run(do.CreateToken())).text)
    await queen.run(start(keep_ca=True))
    prove(queen, 1, 2)
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    await step(queen)
    queen.colony.keyring.adopt(2, {1: SECRET, 2: NEW_SECRET})
    prove(queen, 1, 2, signed_by=2)
    before = queen.colony.reader.one(f"tokens/{token.id}", TokenRecord)
    await step(queen)
    assert trust(queen).phase is Phase.SWITCHED, "first the tokens"
    after = queen.colony.reader.one(f"tokens/{token.id}", TokenRecord)
    assert before != after
    await step(queen)
    assert trust(queen).phase is Phase.FINISHING
    queen.colony.keyring.adopt(2, {2: NEW_SECRET})
    assert queen.colony.reign().seek_key(token.id) == beacon_key(token), "it opens with the new secret alone"


async def test_one_that_holds_waits_for_a_word(queen: Queen) -> None:
    await queen.run(start(hold=True))
    prove(queen, 1, 2)
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    await step(queen)
    assert trust(queen).phase is Phase.DISTRIBUTING
    await queen.run(do.ContinueRotation())
    await step(queen)
    assert trust(queen).phase is Phase.SWITCHED


async def test_a_node_that_stays_away_is_waited_for_as_long_as_was_said(queen: Queen) -> None:
    await queen.run(start(patience_s=600.0))
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    prove(queen, 1, 2)
    record = queen.colony.reader.records()[node_id(2)]
    queen.colony.put(queen.colony.keys.key("nodes", node_id(2)), msgspec.structs.replace(record, report=None))
    queen.colony.delete(queen.colony.keys.key("presence", node_id(2)))
    await step(queen)
    assert trust(queen).phase is Phase.DISTRIBUTING
    waited = msgspec.structs.replace(trust(queen), since=time.time() - 601)
    queen.colony.put(queen.colony.keys.key("pki"), waited)
    await step(queen)
    assert trust(queen).phase is Phase.SWITCHED


async def test_it_is_taken_back_before_the_switch_and_after_it(queen: Queen) -> None:
    await queen.run(start())
    await queen.run(do.AbortRotation())
    assert (trust(queen).phase, trust(queen).generation) == (Phase.FINISHING, 1)
    assert queen.colony.projection.get(queen.colony.keys.key("secret-other")) is None
    await queen.run(start())
    assert trust(queen).other == 3, "a generation is never used twice"


async def test_a_second_one_and_what_cannot_be_are_refused(queen: Queen) -> None:
    await refused(queen, start(patience_s=-1), InvalidInput)
    await refused(queen, start(secret=SECRET), InvalidInput)
    await refused(queen, start(ca=pki.create_ca("demo", time.time())), InvalidInput)
    await refused(queen, do.AbortRotation(), Conflict)
    await queen.run(start())
    await refused(queen, start(secret=None), Conflict)


async def test_the_next_queen_goes_on_where_the_last_one_stopped(queen: Queen) -> None:
    await queen.run(start())
    queen.colony.begin_reign(0)
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    prove(queen, 1, 2)
    await queen.colony.reign()._rotation._look()
    assert trust(queen).phase is Phase.SWITCHED


async def test_secrets_of_jobs_are_sealed_anew_before_the_old_secret_is_forgotten(queen: Queen) -> None:
    await queen.run(do.PutSecret(name="lab", value=TextSecret(text="t3xt-of-a-key")))
    await queen.run(start(keep_ca=True))
    prove(queen, 1, 2)
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    await step(queen)
    queen.colony.keyring.adopt(2, {1: SECRET, 2: NEW_SECRET})
    prove(queen, 1, 2, signed_by=2)
    await step(queen)
    assert trust(queen).phase is Phase.SWITCHED, "first what is sealed"
    await step(queen)
    assert trust(queen).phase is Phase.FINISHING
    assert SecretBook(queen.colony.reader, colony_sealer(NEW_SECRET)).value("lab") == TextSecret(text="t3xt-of-a-key")


async def test_secrets_that_do_not_open_are_told_by_name_with_what_to_do(queen: Queen) -> None:
    key = queen.colony.keys.key("secrets", "lab")
    stranger = colony_sealer(b"x" * 32)
    record = SecretRecord(kind="text", about="", sealed=stranger.seal(b"{}", key), changed_at=1.0, changed_by="ada")
    queen.colony.put(key, record)
    key = queen.colony.keys.key("identity-providers", "corp")
    secret = provider_sealer(b"x" * 32).seal(b"s3cret", key)
    provider = OidcProvider(issuer="https://id.example", client_id="aware", client_secret=secret)
    queen.colony.put(key, ProviderRecord(provider=provider, changed_at=1.0, changed_by="ada"))
    await queen.run(start(keep_ca=True))
    prove(queen, 1, 2)
    queen.colony.keyring.adopt(1, {1: SECRET, 2: NEW_SECRET})
    await step(queen)
    told = {event.type: event for event in queen.events() if event.severity is Severity.WARNING}
    assert queen.colony.reader.one("secrets/lab", SecretRecord) is None
    assert told["secret.changed"].subject == "lab"
    assert told["secret.changed"].message.endswith("set it again: aware secret set lab")
    assert told["identity-provider.changed"].subject == "corp"
    assert told["identity-provider.changed"].message.endswith("give it again: aware identity-providers set corp")
