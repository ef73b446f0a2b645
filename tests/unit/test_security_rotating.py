"""What a rotation is not begun with."""

from __future__ import annotations

import os

import pytest
from security_support import NOW

from aware_agent.colony.errors import InvalidInput
from aware_agent.security import pki
from aware_agent.security.rotating import NewTrust, check_new

PRESENT = pki.create_ca("demo", NOW), pki.create_council_ca("demo", NOW)
CA, COUNCIL_CA = pki.create_ca("demo", NOW), pki.create_council_ca("demo", NOW)
SECRETS = frozenset({bytes(32)})
LEAF = pki.issue(CA, pki.make_key(), common_name="x", sans=["x"], now=NOW)


@pytest.mark.parametrize(
    "new",
    [
        NewTrust(),
        NewTrust(secret=b"n" * 32),
        NewTrust(keep_ca=True),
        NewTrust(ca=CA, council_ca=COUNCIL_CA, secret=os.urandom(32)),
    ],
)
def test_what_may_be_brought(new: NewTrust) -> None:
    assert check_new(new, PRESENT, SECRETS) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewTrust(secret=b"short"), "secret"),
        (NewTrust(secret=bytes(32)), "secret"),
        (NewTrust(ca=CA), "council_ca_certificate"),
        (NewTrust(council_ca=COUNCIL_CA), "council_ca_certificate"),
        (NewTrust(ca=LEAF, council_ca=COUNCIL_CA), "ca_certificate"),
        (NewTrust(ca=CA, council_ca=pki.Pair(COUNCIL_CA.certificate, CA.key)), "council_ca_certificate"),
        (NewTrust(ca=PRESENT[0], council_ca=COUNCIL_CA), "ca_certificate"),
        (NewTrust(ca=CA, council_ca=PRESENT[1]), "council_ca_certificate"),
        (NewTrust(ca=CA, council_ca=PRESENT[0]), "council_ca_certificate"),
        (NewTrust(ca=CA, council_ca=CA), "council_ca_certificate"),
    ],
    ids=[
        "a short secret", "the present secret", "only a node CA", "only a council CA", "no CA", "another key",
        "the present node CA", "the present council CA", "the present node CA for the council", "one CA for both",
    ],
)  # fmt: skip
def test_what_is_refused(new: NewTrust, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_new(new, PRESENT, SECRETS)
    assert caught.value.field == field
