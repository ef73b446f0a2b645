"""Filters, breakers, progress, reach, signatures: what decides about webhooks, without any of the world."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.breaker import Breaker, BreakerEvent, BreakerPolicy, BreakerState, decide
from aware_agent.colony.delivery import LONGEST_PAUSE_S, WINDOW, Progress, pause_after
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.event import Event, Severity
from aware_agent.colony.event_filter import MAX_PATTERNS, EventFilter, check_filter, like, matches
from aware_agent.colony.reach import Reach, check_call_url, refusal
from aware_agent.security.webhook_signature import secret_bytes, secret_text, signed_headers


def _event(kind: str = "node.dead", number: int = 0, **changes: object) -> Event:
    fields = {"id": f"{number:026d}", "time": 1.0, "term": 1, "actor": "ada", "subject": "demo-1", "message": "x"}
    return Event(type=kind, **{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ({}, True),
        ({"type": ("node.*",)}, True),
        ({"type": ("node.",)}, False),  # no prefix: a pattern says all
        ({"type": ("queen.*", "*.dead")}, True),
        ({"severity": Severity.WARNING}, True),
        ({"severity": Severity.ERROR}, False),
        ({"subject": ("demo-?",)}, False),
        ({"subject": ("demo-*",), "actor": ("a*a",)}, True),
        ({"subject": ("demo-*",), "actor": ("otto",)}, False),
        ({"caste": ("web",)}, True),
        ({"caste": ("sto*",)}, False),
    ],
)
def test_all_that_is_said_must_hold(wanted: dict[str, object], passes: bool) -> None:
    event = _event(severity=Severity.WARNING)
    assert matches(EventFilter(**wanted), event, lambda _: ["web"]) is passes  # type: ignore[arg-type]


@given(st.text("ab.", max_size=12), st.lists(st.text("ab.", max_size=3), min_size=1, max_size=4))
def test_a_star_is_any_text_and_nothing_else_is(text: str, parts: list[str]) -> None:
    import re

    expected = re.fullmatch(".*".join(map(re.escape, parts)), text) is not None
    assert like("*".join(parts), text) is expected


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(type=("x",) * (MAX_PATTERNS + 1)),
        EventFilter(subject=("x" * 101,)),
        EventFilter(actor=("",)),
        EventFilter(caste=("a\n",)),
        EventFilter(type=("*" * 5,)),
    ],
)
def test_a_giant_filter_is_refused(wanted: EventFilter) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_filter(wanted, "filter.")
    assert raised.value.field.startswith("filter.")


POLICY = BreakerPolicy(failures=3, first_pause_s=5.0, longest_pause_s=20.0, trial_s=60.0)


def _after(*events: tuple[BreakerEvent, float]) -> Breaker:
    breaker = Breaker()
    for event, now in events:
        breaker = decide(breaker, event, now, POLICY).breaker
    return breaker


def test_a_breaker_opens_tries_once_and_closes() -> None:
    failed, asked = BreakerEvent.FAILED, BreakerEvent.ASKED
    opened = _after((failed, 0), (failed, 1), (failed, 2))
    assert opened.state is BreakerState.OPEN
    assert not decide(opened, asked, 6.9, POLICY).allowed
    assert decide(opened, asked, 6.0, POLICY).wait_s == pytest.approx(1.0)
    trial = decide(opened, asked, 7.0, POLICY)
    assert trial.allowed
    assert trial.breaker.state is BreakerState.HALF_OPEN
    assert not decide(trial.breaker, asked, 7.1, POLICY).allowed  # one trial, not two
    assert decide(trial.breaker, asked, 67.1, POLICY).allowed  # one that never ended is forgotten
    again = decide(trial.breaker, failed, 8.0, POLICY).breaker
    assert again.until == pytest.approx(18.0)  # twice as long
    assert decide(trial.breaker, BreakerEvent.SUCCEEDED, 8.0, POLICY).breaker == Breaker()


@given(st.lists(st.tuples(st.sampled_from(list(BreakerEvent)), st.floats(0, 1e6)), max_size=40))
def test_a_breaker_never_keeps_anybody_for_longer_than_its_bounds(events: list[tuple[BreakerEvent, float]]) -> None:
    breaker = _after(*events)
    said = decide(breaker, BreakerEvent.ASKED, 0.0, POLICY)
    assert said.allowed or 0 < said.wait_s <= max(POLICY.longest_pause_s, POLICY.trial_s)
    assert decide(breaker, BreakerEvent.SUCCEEDED, 0.0, POLICY).breaker.state is BreakerState.CLOSED
    assert decide(breaker, BreakerEvent.ASKED, 2e6, POLICY).allowed


def test_a_position_moves_over_what_is_settled_without_a_gap() -> None:
    progress = Progress(10)
    events = [_event(number=number) for number in range(4)]
    progress.take(11, events[:2])
    progress.take(12, [])
    progress.take(13, events[2:3])
    assert progress.position == 10
    progress.settle(13, events[2].id)
    assert progress.position == 10
    progress.settle(11, events[0].id)
    assert progress.position == 10
    assert progress.settle(11, events[1].id) == events[1]
    assert progress.position == 13
    assert progress.settle(11, events[1].id) is None
    assert progress.room == WINDOW
    with pytest.raises(ValueError, match="revision 13"):
        progress.take(13, events)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30), st.randoms(use_true_random=False))
def test_no_order_of_settling_skips_an_event(shape: list[tuple[int, bool]], chance: object) -> None:
    progress, left, number = Progress(0), [], 0
    for revision, (count, _) in enumerate(shape, start=1):
        events = [_event(number=number + at) for at in range(count)]
        number += count
        progress.take(revision, events)
        left += [(revision, event.id) for event in events]
    chance.shuffle(left)  # type: ignore[attr-defined]
    while left:
        assert progress.position == min(revision for revision, _ in left) - 1
        assert progress.settle(*left.pop())
    assert progress.position == len(shape)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1e9))
def test_pauses_are_bounded(attempts: int, chance: float, asked: float) -> None:
    assert 0 < pause_after(attempts, chance, asked) <= LONGEST_PAUSE_S


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "169.254.1.1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1",
        "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "fe80::1%eth0", "nonsense", "127.1",
    ],
)  # fmt: skip
def test_what_is_not_the_public_internet_cannot_be_called(address: str) -> None:
    assert refusal(address, Reach())


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_the_public_internet_can(address: str) -> None:
    assert refusal(address, Reach()) == ""


def test_networks_are_allowed_by_name_and_metadata_only_alone() -> None:
    assert refusal("10.1.2.3", Reach(networks=("10.0.0.0/8",))) == ""
    assert refusal("::ffff:10.1.2.3", Reach(networks=("10.0.0.0/8",))) == ""
    assert "metadata" in refusal("169.254.169.254", Reach(networks=("169.254.0.0/16",)))
    assert refusal("169.254.169.254", Reach(networks=("169.254.169.254/32",))) == ""
    assert refusal("127.0.0.1", Reach(http_to_loopback=True)) == ""
    assert refusal("10.0.0.1", Reach(http_to_loopback=True))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True), ("192.168.0.5", True), ("172.31.0.1", True), ("100.64.0.1", True), ("fd12::5", True),
        ("127.0.0.1", True), ("::1", True), ("1.1.1.1", True), ("::ffff:10.1.2.3", True),
        ("169.254.169.254", False), ("169.254.1.1", False), ("fe80::1", False), ("fd00:ec2::254", False),
        ("100.100.100.200", False), ("0.0.0.0", False), ("224.0.0.1", False), ("240.0.0.1", False),
        ("::ffff:169.254.169.254", False), ("64:ff9b::a9fe:a9fe", False), ("172.32.0.1", True), ("198.18.0.1", False),
    ],
)  # fmt: skip
def test_what_an_admin_trusts_may_be_inside_and_is_no_metadata_service(address: str, allowed: bool) -> None:
    assert (refusal(address, Reach(inside=True)) == "") is allowed


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "http://127.0.0.1/", "https://127.0.0.1/", "https://169.254.169.254/latest", "ftp://x/",
        "https://user:pass@hooks.example/", "https://hooks.example/#x", "https://hooks.example/ x", "https://", "x",
        "https://[::1]/", "https://2130706433/", "https://hooks.example:0/", "https://a/" + "x" * 2048,
        "https://hooks.example\r\nx: y/", "//hooks.example/",
    ],
)  # fmt: skip
def test_what_is_no_receiver_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_call_url(url, Reach())
    assert "pass" not in str(raised.value)


def test_plain_http_is_for_this_host_when_a_setting_says_so() -> None:
    for url in ("http://127.0.0.1:8080/x", "http://localhost:8080/x", "http://[::1]:8080/x", "https://hooks.example/x"):
        assert check_call_url(url, Reach(http_to_loopback=True)) == url
    with pytest.raises(InvalidInput):
        check_call_url("http://hooks.example/", Reach(http_to_loopback=True))


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example of the standard's own libraries."""
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    two = signed_headers([b"n" * 32, secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert two["webhook-signature"].split(" ")[1] == headers["webhook-signature"]


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_x", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + base64.b64encode(b"x" * 65).decode()],
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        secret_bytes(text)
    assert secret_bytes(secret_text(b"x" * 32)) == b"x" * 32


def test_nothing_shows_a_secret() -> None:
    from aware_agent.queen import commands as do
    from aware_agent.queen.webhooks.messages import Target

    target = Target(id="a", url="https://hooks.example/token", secrets=(b"hidden",), ca="", retry_s=10)
    command = do.CreateWebhook(url="https://hooks.example/token", secret="whsec_hidden")
    for shown in (repr(target), repr(command), repr(do.RotateWebhookSecret(webhook="a", secret="whsec_hidden"))):
        assert "hidden" not in shown
        assert "token" not in shown
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(target), type=Target) == target
