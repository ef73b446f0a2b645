"""The chain of audit lines: what is written, and what a check finds in one that somebody touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.audit import (
    NOTHING,
    RESTORED,
    Asker,
    AuditLine,
    Entry,
    Head,
    Kind,
    canonical,
    chained,
    entry,
    head_of,
    head_text,
    parse_head,
)
from aware_agent.colony.audit_check import Named, Verdict, check_chain
from aware_agent.colony.spec import KEEP_AUDIT
from aware_agent.security.audit import SealChecker, public_keys, seal_key

QUOTA = 2 << 30  # of etcd, by default
SECRET, LATER = b"s" * 32, b"t" * 32


def told(action: str = "put-spec", **fields: object) -> Entry:
    return entry(Asker(kind=Kind.USER, source="192.0.2.1"), now=1.5, action=action, actor="ada", **fields)


def chain(count: int, *, secret: bytes = SECRET, head: Head | None = None) -> list[AuditLine]:
    key, lines, head = seal_key("demo", secret), [], head or Head()
    for number in range(count):
        line = chained(told(subject=f"s{number}"), head, term=3, key=key.id)
        line = msgspec.structs.replace(line, seal=key.seal(line.hash))
        lines.append(line)
        head = head_of(line)
    return lines


def check(lines: list[AuditLine], *secrets: bytes, anchors: tuple[Head, ...] = ()) -> Verdict:
    checker = SealChecker(public_keys("demo", secrets or (SECRET,)))
    named = [Named(line, f"place {number}") for number, line in enumerate(lines)]
    return check_chain(named, sealed=checker, anchors=anchors)


def resealed(line: AuditLine) -> AuditLine:
    """What somebody makes of it who knows all but the key."""
    return msgspec.structs.replace(line, hash=hashlib.sha256(canonical(line)).hexdigest())


def test_a_whole_chain_is_whole() -> None:
    lines = chain(5)
    found = check(lines, anchors=(head_of(lines[2]), head_of(lines[4])))
    assert found.whole
    assert (found.lines, found.first, found.head, found.sealed) == (5, 1, head_of(lines[4]), 5)
    assert lines[0].prev == NOTHING


def test_a_hash_can_be_computed_by_any_other_program() -> None:
    line = chain(1)[0]
    plain = json.loads(msgspec.json.encode(line))
    del plain["hash"], plain["seal"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == line.hash


@given(st.text(max_size=400), st.text(max_size=200))
def test_whatever_is_told_fits_into_one_line_that_can_be_read_again(change: str, subject: str) -> None:
    line = chained(told(change=change, subject=subject), Head(), term=1)
    raw = msgspec.json.encode(line)
    assert msgspec.json.decode(raw, type=AuditLine) == line
    assert b"\n" not in raw


EDITS: dict[str, tuple[Callable[[list[AuditLine]], list[AuditLine]], str]] = {
    "edited": (lambda c: [*c[:2], msgspec.structs.replace(c[2], actor="eva"), *c[3:]], "line 3 was changed"),
    "edited, hash anew": (
        lambda c: [*c[:2], resealed(msgspec.structs.replace(c[2], actor="eva")), *c[3:]],
        "does not continue line 3",
    ),
    "last edited, hash anew": (
        lambda c: [*c[:5], resealed(msgspec.structs.replace(c[5], actor="eva"))],
        "seal that the colony did not make",
    ),
    "cut out": (lambda c: [*c[:2], *c[4:]], "lines 3 to 4 are missing"),
    "one cut out": (lambda c: [*c[:2], *c[3:]], "line 3 is missing"),
    "swapped": (lambda c: [c[0], c[2], c[1], *c[3:]], "out of order"),
    "begun anew by hand": (lambda c: [msgspec.structs.replace(c[0], prev="1" * 64), *c[1:]], "another one was before"),
}


@pytest.mark.parametrize("how", EDITS)
def test_what_somebody_did_to_a_chain_is_found(how: str) -> None:
    touch, problem = EDITS[how]
    found = check(touch(chain(6)))
    assert not found.whole
    assert any(problem in fault.problem for fault in found.faults)


def test_all_of_it_made_anew_without_the_key_is_found() -> None:
    """Who can write etcd computes hashes; a seal he cannot make, neither with the colony's key nor with his own."""
    forged = chain(4, secret=b"thief" * 7)
    named_ours = [msgspec.structs.replace(line, key=seal_key("demo", SECRET).id) for line in forged]
    assert "no key that is known" in check(forged).faults[0].problem
    assert "was changed" in check(named_ours).faults[0].problem


def test_a_cut_end_is_found_against_a_head_that_was_noted_and_by_nothing_else() -> None:
    lines = chain(5)
    assert check(lines[:3]).whole
    found = check(lines[:3], anchors=(head_of(lines[4]),))
    assert "this log ends at line 3: the end was cut off" in found.faults[0].problem
    begun_anew = chain(5, secret=SECRET, head=None)
    other = [*begun_anew[:2], *chain(3, head=Head(seq=2, hash="a" * 64))]
    assert any("with another hash" in f.problem for f in check(other, anchors=(head_of(lines[4]),)).faults)


def test_lines_older_than_a_rotation_stand_on_the_seals_after_it() -> None:
    lines = chain(3)
    lines += chain(2, secret=LATER, head=head_of(lines[-1]))
    found = check(lines, LATER)
    assert found.whole
    assert (found.sealed, found.covered) == (2, 3)
    forged = [resealed(msgspec.structs.replace(lines[1], actor="eva")) if n == 1 else x for n, x in enumerate(lines)]
    assert not check(forged, LATER).whole


def test_a_restore_may_take_the_chain_back_and_says_so() -> None:
    lines, key = chain(6), seal_key("demo", SECRET)
    back = chained(told(action=RESTORED), head_of(lines[2]), term=4, key=key.id)
    back = msgspec.structs.replace(back, seal=key.seal(back.hash))
    after = [*lines, back, *chain(2, head=head_of(back))]
    found = check(after)
    assert found.whole
    assert (found.set_aside, found.head.seq) == (3, 6)
    lost = check(after, anchors=(head_of(lines[5]),))
    assert "noted before with another hash" in lost.faults[0].problem
    not_told = [*lines, msgspec.structs.replace(back, action="put-spec")]
    assert not check(not_told).whole


def test_an_archive_and_an_export_may_overlap() -> None:
    lines = chain(6)
    assert check([*lines[:4], *lines[2:]]).lines == 6


def test_what_is_no_line_is_a_fault_and_older_lines_are_asked_for() -> None:
    lines = chain(4)
    named = [Named(lines[2], "a"), Named(None, "file line 2"), Named(lines[3], "c")]
    found = check_chain(named, anchors=(head_of(lines[0]),))
    assert [fault.problem for fault in found.faults] == [
        "file line 2 is no line of an audit log",
        "line 1 was noted before, and this log begins at line 3: give the older part too",
    ]


@pytest.mark.parametrize("text", ["", "7", "x:" + "a" * 64, "7:" + "g" * 64, "7:" + "a" * 63, "-1:" + "a" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="its hash"):
        parse_head(text)


def test_a_head_is_read_as_it_is_shown() -> None:
    head = head_of(chain(1)[0])
    assert parse_head(head_text(head)) == head


def test_the_longest_lines_of_the_longest_log_fit_etcd_many_times() -> None:
    """Twice as many as are wanted may be there when they cannot be archived."""
    wide = "\U0001f41d" * 1000
    asker = Asker(**{name: wide for name in Asker.__struct_fields__ if name != "kind"})
    texts = dict.fromkeys(("subject", "code", "change"), wide)
    told = entry(asker, now=1e11, action=wide, actor=wide, **texts)
    longest = chained(told, Head(seq=10**15 - 1), term=2**63, key="k" * 16)
    size = len(msgspec.json.encode(msgspec.structs.replace(longest, seal="s" * 88)))
    assert size < 7_000
    assert 2 * KEEP_AUDIT[1] * size < QUOTA / 7
