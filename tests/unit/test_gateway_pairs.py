"""The certificates a council member makes for its gateway."""

from __future__ import annotations

import msgspec
import pytest

from aware_agent.agent.member.gateway_pairs import PairsTask, certify
from aware_agent.security import pki
from aware_agent.security.records import CaRecord
from aware_agent.security.sealed import SealBroken, colony_sealer

NOW = 1_900_000_000.0
NODE = "01JT0000000000000000000002"
KEY, COUNCIL_KEY = b"/aware/demo/ca", b"/aware/demo/council-ca"
SECRET = b"s" * 32
NAMES = ["127.0.0.1", "queen.demo.aware"]


COUNCIL_CA = pki.create_council_ca("demo", NOW)


@pytest.fixture(scope="module")
def ca() -> pki.Pair:
    return pki.create_ca("demo", NOW)


def _record(ca: pki.Pair, key: bytes) -> bytes:
    return msgspec.json.encode(
        CaRecord(certificate=ca.certificate.decode(), key=colony_sealer(SECRET).seal(ca.key, key))
    )


def _task(ca: pki.Pair, *secrets: bytes) -> PairsTask:
    node = pki.issue(ca, pki.make_key(), common_name=NODE, sans=NAMES, now=NOW, days=3)
    return PairsTask(
        colony="demo",
        node=NODE,
        certificate=node.certificate,
        ca_key=KEY,
        ca_record=_record(ca, KEY),
        council_ca_key=COUNCIL_KEY,
        council_ca_record=_record(COUNCIL_CA, COUNCIL_KEY),
        secrets=secrets or (SECRET,),
    )


def test_the_gateway_is_found_where_its_node_is_and_no_longer(ca: pki.Pair) -> None:
    task = _task(ca)
    pairs = certify(task, NOW + 60)
    shown, node = pki.facts(pairs.tls_certificate), pki.facts(task.certificate)
    assert shown.sans == frozenset(NAMES)
    assert abs(shown.not_after - node.not_after) < 2
    assert pki.is_issued_by(pairs.tls_certificate, ca.certificate)
    assert pki.is_pair(pairs.tls_certificate, pairs.tls_key)


def test_each_certificate_is_good_for_one_thing_and_neither_is_the_node(ca: pki.Pair) -> None:
    from cryptography.x509 import ExtendedKeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID

    pairs = certify(_task(ca), NOW)
    uses = {}
    for name, pem in (("tls", pairs.tls_certificate), ("etcd", pairs.etcd_certificate)):
        uses[name] = list(pki.load_certificate(pem).extensions.get_extension_for_class(ExtendedKeyUsage).value)
        assert pki.facts(pem).common_name == f"gateway.{NODE}"
    assert uses == {"tls": [ExtendedKeyUsageOID.SERVER_AUTH], "etcd": [ExtendedKeyUsageOID.CLIENT_AUTH]}
    assert pki.facts(pairs.etcd_certificate).sans == frozenset()
    assert pki.is_issued_by(pairs.etcd_certificate, COUNCIL_CA.certificate), "etcd believes no other"
    assert not pki.is_issued_by(pairs.tls_certificate, COUNCIL_CA.certificate)
    assert pairs.tls_key != pairs.etcd_key


def test_another_secret_opens_no_ca(ca: pki.Pair) -> None:
    with pytest.raises(SealBroken):
        certify(_task(ca, b"t" * 32), NOW)
    assert certify(_task(ca, b"t" * 32, SECRET), NOW).tls_key, "an older generation still does"
