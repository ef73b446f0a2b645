from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from security_support import COLONY, NOW, Authority

from aware_agent.colony.errors import InvalidInput
from aware_agent.security import pki

NODE_ID = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
SANS = pki.node_sans(COLONY, "demo-2", ["127.0.0.2", "fe80::1"], eligible=True)
CA = pki.create_ca(COLONY, NOW)
KEY = pki.make_key()
CSR = pki.make_csr(KEY, NODE_ID, "demo-2", ["127.0.0.2"])


def signed(**changes: object) -> bytes:
    options: dict[str, object] = {"node_id": NODE_ID, "sans": SANS, "now": NOW, **changes}
    return pki.sign_csr(CA, CSR, **options)  # type: ignore[arg-type]


def foreign_csr(private: object, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(private, algorithm).public_bytes(Encoding.PEM)  # type: ignore[arg-type]


def test_identity_comes_from_the_signer_not_from_the_request() -> None:
    greedy = pki.make_csr(KEY, "root", "queen", ["10.0.0.1", "evil.example"])
    certificate = pki.sign_csr(CA, greedy, node_id=NODE_ID, sans=SANS, now=NOW)
    facts = pki.facts(certificate)
    assert facts.common_name == NODE_ID
    assert facts.sans == set(SANS) == {"demo-2.node.demo.aware", "council.demo.aware", "127.0.0.2", "fe80::1"}
    worker = pki.node_sans(COLONY, "demo-2", ["127.0.0.2"], eligible=False)
    assert worker == ["demo-2.node.demo.aware", "127.0.0.2"], "only the council has the council's name"
    pki.check_certificate(certificate, key=KEY, ca=CA.certificate, common_name=NODE_ID)


def test_a_request_for_ca_powers_gets_none() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    csr = builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)
    parsed = x509.load_pem_x509_certificate(pki.sign_csr(CA, csr, node_id=NODE_ID, sans=SANS, now=NOW))
    assert parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert parsed.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False


@pytest.mark.parametrize("node_id", ["root", "", NODE_ID.lower(), NODE_ID + "\n", NODE_ID + "A"])
def test_only_node_ids_are_certified(node_id: str) -> None:
    with pytest.raises(pki.CsrRefused):
        signed(node_id=node_id)


def test_weak_and_foreign_keys_are_refused() -> None:
    for csr in (
        foreign_csr(rsa.generate_private_key(65537, 2048), hashes.SHA256()),
        foreign_csr(ed25519.Ed25519PrivateKey.generate()),
        foreign_csr(ec.generate_private_key(ec.SECP192R1()), hashes.SHA256()),
        foreign_csr(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()),
    ):
        with pytest.raises(pki.CsrRefused, match=r"kind of key|damaged"):
            pki.sign_csr(CA, csr, node_id=NODE_ID, sans=SANS, now=NOW)


def test_a_request_not_signed_by_its_key_is_refused() -> None:
    der = bytearray(x509.load_pem_x509_csr(CSR).public_bytes(Encoding.DER))
    der[-1] ^= 1
    try:
        forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    except ValueError:
        pytest.fail("the forgery must parse to be a test")
    with pytest.raises(pki.CsrRefused, match=r"not signed|damaged"):
        pki.sign_csr(CA, forged, node_id=NODE_ID, sans=SANS, now=NOW)


@given(st.one_of(st.binary(max_size=300), st.integers(0, len(CSR) - 2).map(lambda cut: CSR[:cut])))
def test_rubbish_is_refused_with_a_typed_error(rubbish: bytes) -> None:
    with pytest.raises(pki.CsrRefused):
        pki.sign_csr(CA, rubbish, node_id=NODE_ID, sans=SANS, now=NOW)


def test_an_endless_request_is_refused() -> None:
    with pytest.raises(pki.CsrRefused, match="too long"):
        pki.sign_csr(CA, CSR + b"\n" * 9000, node_id=NODE_ID, sans=SANS, now=NOW)


def test_certificates_start_early_and_end_with_their_ca() -> None:
    facts = pki.facts(signed(days=1))
    assert facts.not_before == NOW - 7200
    assert facts.not_after == NOW + 86400
    assert pki.facts(signed(days=100_000)).not_after == pki.facts(CA.certificate).not_after


def test_the_pin_follows_the_key_and_not_the_certificate() -> None:
    renewed = pki.create_ca(COLONY, NOW + 1000, key=CA.key)
    assert renewed.certificate != CA.certificate
    assert pki.ca_pin(renewed.certificate) == pki.ca_pin(CA.certificate)
    assert len(pki.ca_pin(CA.certificate)) == 43
    assert pki.ca_pin(pki.create_ca(COLONY, NOW).certificate) != pki.ca_pin(CA.certificate)


def test_the_pinned_certificate_is_found_in_a_bundle() -> None:
    other = pki.create_ca(COLONY, NOW)
    bundle = other.certificate + CA.certificate
    assert pki.find_pinned(bundle, pki.ca_pin(CA.certificate)) == CA.certificate
    assert pki.find_pinned(other.certificate, pki.ca_pin(CA.certificate)) is None


@given(st.binary(max_size=200))
def test_a_bundle_of_rubbish_has_no_pin(rubbish: bytes) -> None:
    assert pki.find_pinned(rubbish, "A" * 43) is None


def test_the_csr_pin_tells_the_same_key_from_another() -> None:
    assert pki.csr_pin(CSR) == pki.csr_pin(pki.make_csr(KEY, NODE_ID, "renamed"))
    assert pki.csr_pin(CSR) != pki.csr_pin(pki.make_csr(pki.make_key(), NODE_ID, "demo-2"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"key": pki.make_key()}, "another key"),
        ({"common_name": "01HYYYYYYYYYYYYYYYYYYYYYYY"}, "somebody else"),
        ({"ca": pki.create_ca(COLONY, NOW).certificate}, "not signed"),
        ({"certificate": b"rubbish"}, "another key"),
    ],
)
def test_a_wrong_certificate_is_noticed(changes: dict[str, bytes], word: str) -> None:
    options = {"certificate": signed(), "key": KEY, "ca": CA.certificate, "common_name": NODE_ID, **changes}
    with pytest.raises(ValueError, match=word):
        pki.check_certificate(options.pop("certificate"), **options)  # type: ignore[arg-type]


def test_a_name_that_cannot_be_in_a_certificate_is_invalid_input() -> None:
    with pytest.raises(InvalidInput):
        signed(sans=["nöt-ascii"])


def test_long_colony_names_fit() -> None:
    assert pki.facts(pki.create_ca("c" * 63, NOW).certificate).common_name == "c" * 63


def test_keys_do_not_show() -> None:
    assert "PRIVATE" not in repr(CA)


@pytest.mark.parametrize("name", ["127.0.0.1", "council.demo.aware", "demo-1.node.demo.aware"])
def test_openssl_accepts_the_chain_both_ways_and_strictly(name: str, tmp_path: Path) -> None:
    """A real mutual handshake; VERIFY_X509_STRICT is the default from Python 3.13 on."""
    authority = Authority.make()
    (tmp_path / "crt").write_bytes(authority.server.certificate)
    (tmp_path / "key").write_bytes(authority.server.key)
    contexts = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
        context.load_verify_locations(cadata=authority.ca.certificate.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        contexts.append(context)
    assert _handshake(*contexts, name) == authority.server.certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(*contexts, "elsewhere.example")


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bytes:
    """Both sides in memory; returns the client certificate the server saw, as PEM."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    seen = theirs.getpeercert(binary_form=True)
    assert seen is not None
    return ssl.DER_cert_to_PEM_cert(seen).encode()
