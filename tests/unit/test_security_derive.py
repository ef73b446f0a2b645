from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.security.derive import _SALT, _expand, derive


@given(st.binary(min_size=1, max_size=100), st.text(min_size=1, max_size=40), st.integers(1, 200))
def test_is_hkdf_sha256(secret: bytes, label: str, length: int) -> None:
    info = label.encode()
    peer = HKDF(algorithm=hashes.SHA256(), length=length, salt=_SALT, info=info).derive(secret)
    assert derive(secret, label, length) == peer


def test_expand_matches_rfc_5869_case_1() -> None:
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert _expand(prk, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), 42).hex() == okm


def test_the_labels_in_use_never_change_their_keys() -> None:
    """Colonies hold data under these keys: another value here is a broken upgrade."""
    assert derive(b"\x00" * 32, "jwt/demo").hex() == PINNED


PINNED = "14be4366666f399d5c25a3f005a4f61149ae2d96b870ed1e02c39bae7cbefd3e"


@pytest.mark.parametrize(
    ("secret", "label", "length"), [(b"", "x", 32), (b"s", "", 32), (b"s", "x", 0), (b"s", "x", 8161)]
)
def test_nonsense_is_refused(secret: bytes, label: str, length: int) -> None:
    with pytest.raises(ValueError, match="derive"):
        derive(secret, label, length)
