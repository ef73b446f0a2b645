"""When a certificate is renewed: in time, spread over the nodes, and at once when the colony's trust changes."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.renewal import Holding, due, retry_in, worrying
from aware_agent.colony.rotation import Phase, Trust
from aware_agent.security import pki
from aware_agent.security.pem import make_key
from aware_agent.security.refusals import RenewalRefused
from aware_agent.security.renewing import (
    WINDOW_S,
    RenewRequest,
    check_request,
    parse_renew_request,
    sign_request,
)

NOW = 1_750_000_000.0
NODE = "01K0000000000000000000000A"
DAY = 86400.0
HOLDING = Holding(
    issued_at=NOW, not_after=NOW + 7 * DAY, signed_by=1, generations=frozenset({1}), current=1, bundle="ca-1"
)
BOTH = msgspec.structs.replace(HOLDING, generations=frozenset({1, 2}), bundle="ca-1 ca-2")


@given(st.floats(0, 1, exclude_max=True), st.floats(10, 1e8))
def test_renewal_leaves_a_third_of_the_life(spread: float, life: float) -> None:
    holding = msgspec.structs.replace(HOLDING, not_after=NOW + life)
    at = due(holding, Trust(), NOW, spread).at
    assert NOW + 0.56 * life < at <= NOW + 2 / 3 * life + 1e-3


def test_a_certificate_of_the_founding_is_renewed_at_once() -> None:
    assert due(msgspec.structs.replace(HOLDING, issued_at=0.0), Trust(), NOW, 0.9).at == NOW


OLD, NEW = Trust(phase=Phase.DISTRIBUTING, other=2, last=2, ca="ca-1 ca-2"), Trust(generation=2, last=2, ca="ca-2")
SWITCHED = Trust(phase=Phase.SWITCHED, generation=2, other=1, last=2, ca="ca-2 ca-1")


@pytest.mark.parametrize(
    ("holding", "trust", "at_once"),
    [
        (HOLDING, Trust(ca="ca-1"), False),
        (HOLDING, OLD, True),
        (HOLDING, Trust(ca="ca-1", council_ca="council-1"), False),  # a worker does not speak to etcd
        (msgspec.structs.replace(HOLDING, council_bundle="council-1"), Trust(council_ca="council-1"), False),
        (msgspec.structs.replace(HOLDING, council_bundle="council-1"), Trust(council_ca="council-2"), True),
        (BOTH, OLD, False),
        (BOTH, SWITCHED, True),
        (msgspec.structs.replace(BOTH, current=2, bundle="ca-2 ca-1"), SWITCHED, True),
        (msgspec.structs.replace(BOTH, current=2, signed_by=2, bundle="ca-2 ca-1"), SWITCHED, False),
        (msgspec.structs.replace(BOTH, current=2, signed_by=2, bundle="ca-2 ca-1"), NEW, True),
        (BOTH, Trust(ca="ca-1", last=2), True),
    ],
)
def test_a_change_of_trust_is_followed_at_once(holding: Holding, trust: Trust, at_once: bool) -> None:
    soon = due(holding, trust, NOW, 0.5, size=100)
    assert (soon.at <= NOW + 0.5) is at_once
    if at_once:
        assert soon.at > NOW, "a hundred nodes do not come at the same moment"


def test_a_certificate_that_does_not_name_the_addresses_wanted_is_renewed() -> None:
    have = msgspec.structs.replace(HOLDING, addresses=("192.0.2.1",))
    assert due(have, Trust(), NOW, 0.5).at > NOW + DAY
    assert due(have, Trust(), NOW, 0.5, addresses=("192.0.2.1",)).at > NOW + DAY
    soon = due(have, Trust(), NOW, 0.5, addresses=("192.0.2.1", "203.0.113.7"))
    assert soon.at <= NOW + 1
    assert "another address" in soon.reason


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("", False),
        ("203.0.113.7", True),
        ("2001:db8::7", True),
        ("*", False),
        ("web.example.org", False),
        ("127.0.0.1/8", False),
        ("0.0.0.0", False),
    ],
)
def test_only_addresses_of_hosts_go_into_a_certificate(address: str, good: bool) -> None:
    raw = msgspec.json.encode(request(make_key(), address=address))
    if good:
        assert parse_renew_request(raw).address == address
    else:
        with pytest.raises(InvalidInput, match="address"):
            parse_renew_request(raw)


def test_retries_become_rare_but_never_too_rare_for_what_is_left() -> None:
    long = [retry_in(failures, 7 * DAY, 1.0) for failures in range(1, 14)]
    assert long == sorted(long)
    assert long[-1] == 300.0
    assert retry_in(13, 100.0, 1.0) == 10.0
    assert retry_in(13, -5.0, 0.0) == 0.5


@pytest.mark.parametrize(
    ("failures", "left", "warn"),
    [(1, 94_607_965.0, False), (3, 7 * DAY, False), (6, 7 * DAY, True), (1, 3600.0, True), (1, -5.0, True)],
)
def test_a_warning_says_that_something_is_wrong(failures: int, left: float, warn: bool) -> None:
    """A founder's certificate has three years to go when its first renewal finds no queen yet."""
    assert worrying(failures, left) is warn


def request(key: bytes, **changes: object) -> RenewRequest:
    csr = pki.make_csr(key, NODE, "demo-1").decode()
    fields = {"colony": "demo", "node_id": NODE, "address": "127.0.0.1", "csr": csr, "sent_at": NOW}
    fields |= {"nonce": "n" * 32, "box_key": b"k" * 32}
    return sign_request(RenewRequest(**{**fields, **changes}), key)  # type: ignore[arg-type]


def test_only_the_key_the_node_joined_with_renews() -> None:
    key, other = make_key(), make_key()
    pin = pki.key_pin(key)
    genuine = parse_renew_request(msgspec.json.encode(request(key)))
    check_request(genuine, pin, NOW + WINDOW_S)
    forged = [
        (request(other), NOW),
        (msgspec.structs.replace(genuine, address="127.0.0.2"), NOW),
        (msgspec.structs.replace(genuine, nonce="m" * 32), NOW),
        (msgspec.structs.replace(genuine, box_key=b"m" * 32), NOW),
        (msgspec.structs.replace(genuine, signature=os.urandom(70)), NOW),
        (msgspec.structs.replace(genuine, csr=request(other).csr), NOW),
        (genuine, NOW + WINDOW_S + 1),
        (genuine, NOW - WINDOW_S - 1),
    ]
    for bad, now in forged:
        with pytest.raises(RenewalRefused):
            check_request(bad, pin, now)
    with pytest.raises(RenewalRefused):
        check_request(genuine, "", NOW)


async def test_the_agent_never_waits_for_ever_for_its_renewing_process(tmp_path: object) -> None:
    """A state directory that is none: the process says so, and the agent gets one typed error."""
    from pathlib import Path

    from aware_agent.agent.renewal import renew_once
    from aware_agent.agent.renewal_task import RenewalFailed
    from aware_agent.agent.state import StateDir

    directory = StateDir(Path(str(tmp_path)) / "state")
    directory.prepare()
    async with asyncio.timeout(60):
        with pytest.raises(RenewalFailed, match="no member's state"):
            await renew_once(directory, "127.0.0.1", ["https://127.0.0.1:1"])
