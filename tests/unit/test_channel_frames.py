"""Frames: what is encoded is decoded as the same; everything else is one typed error."""

from __future__ import annotations

import math

import msgspec
import pytest
from channel_support import report
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.channel import frames
from aware_agent.channel.frames import BadFrame, Fault
from aware_agent.colony.node import Capabilities, Config, Record, TrustReport
from aware_agent.colony.rotation import Trust

SEAT = frames.Seat(id="a", name="m", url="https://127.0.0.1:1", channel="127.0.0.1:2")
FROM_NODE = [
    frames.Hello(incarnation="i", report=report()),
    frames.Heartbeat(3),
    frames.NewReport(report(labels={"a": "b"})),
    frames.Result(id="1", answer={"x": [1, "two"]}),
    frames.Result(id="1", problem=frames.Problem(code="c", message="m")),
    frames.Goodbye(why=frames.Why.LEAVING, text="bye"),
]
FROM_MEMBER = [
    frames.Welcome(member="a", beat_s=1.0),
    frames.Heartbeat(3),
    frames.NewConfig(version=2, config=Config(vars={"a": 1})),
    frames.NewRecord(Record(id="a", name="n", joined_at=1.0)),
    frames.NewTrust(Trust(ca="pem")),
    frames.Announcement(term=7, queen=SEAT, heir=None, members=(SEAT,), size=3),
    *(
        frames.Command(id="1", term=7, order=order)
        for order in (
            frames.RestartAgent(),
            frames.SetLogLevel("debug"),
            frames.CollectDiagnostics(),
            frames.CheckUpgrade(version="1.2"),
        )
    ),
    frames.Goodbye(why=frames.Why.REMOVED),
]


@pytest.mark.parametrize("frame", FROM_NODE, ids=lambda frame: type(frame).__name__)
def test_what_a_node_says_arrives(frame: frames.FromNode) -> None:
    assert frames.from_node(frames.encode(frame)) == frame


@pytest.mark.parametrize("frame", FROM_MEMBER, ids=lambda frame: type(frame).__name__)
def test_what_a_member_says_arrives(frame: frames.FromMember) -> None:
    assert frames.from_member(frames.encode(frame)) == frame


def _hello(**changes: object) -> bytes:
    return frames.encode(frames.Hello(incarnation="i", report=report(**changes)))


def _trust(proofs: dict[int, str], not_after: float = 1.0) -> TrustReport:
    return TrustReport(proofs=proofs, signed_by=1, not_after=not_after, bundle="b")


HELLO = frames.encode(FROM_NODE[0])
BAD = {
    "empty": (b"", Fault.CUT),
    "one byte": (b"\x01", Fault.CUT),
    "cut": (HELLO[:-5], Fault.CUT),
    "text": ("hello", Fault.TEXT),
    "another version": (b"\x02" + HELLO[1:], Fault.VERSION),
    "no msgpack": (b"\x01\xc1\xc1", Fault.UNREADABLE),
    "more behind it": (HELLO + b"\x01", Fault.UNREADABLE),
    "no frame": (b"\x01" + msgspec.msgpack.encode({"a": 1}), Fault.UNREADABLE),
    "unknown kind": (b"\x01" + msgspec.msgpack.encode({"type": "oops"}), Fault.UNREADABLE),
    "wrong type": (b"\x01" + msgspec.msgpack.encode({"type": "beat", "count": "1"}), Fault.UNREADABLE),
    "a member's frame": (frames.encode(FROM_MEMBER[0]), Fault.UNREADABLE),
    "no number": (_hello(joined_at=math.nan), Fault.UNREADABLE),
    "no time": (_hello(joined_at=math.inf), Fault.UNREADABLE),
    "before time": (_hello(joined_at=-1.0), Fault.UNREADABLE),
    "beyond 63 bits": (_hello(config_version=2**63), Fault.UNREADABLE),
    "less than none": (_hello(config_version=-1), Fault.UNREADABLE),
    "higher than any": (_hello(priority=2**63 - 1), Fault.UNREADABLE),
    "no capabilities": (_hello(capabilities=Capabilities(vcpus=-1)), Fault.UNREADABLE),
    "a terminal's": (_hello(name="\x1b[2J"), Fault.UNREADABLE),
    "two lines": (_hello(version="1\n2"), Fault.UNREADABLE),
    "a label that steers": (_hello(labels={"a": "\x07"}), Fault.UNREADABLE),
    "endless text": (_hello(url="https://" + "x" * 300), Fault.UNREADABLE),
    "too many labels": (_hello(labels={str(n): "" for n in range(2000)}), Fault.UNREADABLE),
    "too many proofs": (_hello(trust=_trust(dict.fromkeys(range(100), "p"))), Fault.UNREADABLE),
    "a certificate that never ends": (_hello(trust=_trust({}, math.inf)), Fault.UNREADABLE),
    "an answer that is no number": (frames.encode(frames.Result(id="1", answer={"x": [math.nan]})), Fault.UNREADABLE),
    "very deep": (b"\x01" + b"\x91" * 60_000, Fault.CUT),
    "huge": (b"\x01" + bytes(frames.MAX_FRAME), Fault.HUGE),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_frame_is_one_typed_error(name: str) -> None:
    raw, fault = BAD[name]
    with pytest.raises(BadFrame) as caught:
        frames.from_node(raw)
    if name != "very deep":  # how deep msgpack may go is its own business
        assert caught.value.fault is fault
    assert caught.value.message
    assert "\n" not in caught.value.message


def test_a_good_bye_means_the_same_in_every_version() -> None:
    bye = frames.Goodbye(why=frames.Why.BAD_FRAME, text="a frame of version 9; this is version 1")
    assert frames.from_member(b"\x09" + frames.encode(bye)[1:]) == bye
    with pytest.raises(BadFrame) as caught:
        frames.from_member(b"\x09" + frames.encode(frames.Welcome(member="x", beat_s=1.0))[1:])
    assert caught.value.fault is Fault.VERSION


def test_a_complaint_repeats_nothing_that_breaks_a_line() -> None:
    with pytest.raises(BadFrame) as caught:
        frames.from_node(b"\x01" + msgspec.msgpack.encode({"type": "goodbye", "why": "a\nb\x1b[2J"}))
    assert caught.value.message.isprintable()


def test_what_a_node_says_unasked_is_short() -> None:
    long = frames.encode(frames.NewReport(report(labels={str(n): "x" * 100 for n in range(700)})))
    with pytest.raises(BadFrame) as caught:
        frames.from_node(long)
    assert caught.value.fault is Fault.HUGE
    answer = frames.Result(id="1", answer={"log": "x" * 100_000})
    assert frames.from_node(frames.encode(answer)) == answer


def test_nothing_is_encoded_that_nobody_would_read() -> None:
    with pytest.raises(BadFrame):
        frames.encode(frames.Result(id="1", answer={"log": "x" * frames.MAX_FRAME}))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_a_bad_frame(raw: bytes) -> None:
    for decode in (frames.from_node, frames.from_member):
        try:
            outcome: object = decode(raw)
        except BadFrame as error:
            outcome = error.fault
        assert isinstance(outcome, msgspec.Struct | Fault)


@pytest.mark.parametrize("version", ["banana", "", "1.", "v1.2", "1.2 ", "latest", "9" * 20, "1.2;rm", "\u0661.\u0662"])
def test_what_is_no_version_is_refused_by_whoever_decodes_it(version: str) -> None:
    raw = msgspec.json.encode({"type": "check-upgrade", "version": version})
    with pytest.raises(msgspec.ValidationError, match="is no version such as"):
        msgspec.json.decode(raw, type=frames.CheckUpgrade)


@pytest.mark.parametrize("version", ["1", "0.1.1", "1.5.0rc1", "2.0.dev3", "1.4.2.post1+site.2"])
def test_versions_of_releases_are_taken(version: str) -> None:
    assert frames.CheckUpgrade(version=version).version == version
