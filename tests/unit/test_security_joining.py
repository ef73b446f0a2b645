from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import Kind, check_name
from aware_agent.security.joining import (
    MAX_REQUEST_BYTES,
    JoinAnswer,
    Secrets,
    parse_join_answer,
    parse_join_request,
    parse_problem,
)

GOOD: dict[str, Any] = {
    "colony": "demo",
    "token_id": "0" * 16,
    "secret": "s3cr3t" * 7,
    "csr": "-----BEGIN",
    "node_id": "01HZZZZZZZZZZZZZZZZZZZZZZZ",
    "name": "demo-2",
    "address": "127.0.0.1",
    "url": "https://127.0.0.1:20102",
    "box_key": "A" * 43 + "=",
}
ANSWER: dict[str, Any] = {
    "certificate": "c",
    "ca": "a",
    "sealed": "AAAAAAAAAAAAAAAAAAAAAA==",
    "etcd": ["127.0.0.1:2379"],
    "joined_at": 1.5,
}


def test_a_good_request_arrives_whole() -> None:
    request = parse_join_request(json.dumps(GOOD).encode())
    assert msgspec.to_builtins(request) == {**GOOD, "signature": ""}
    assert request == parse_join_request(msgspec.json.encode(request))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"extra": 1}, ""),
        ({"node_id": "root"}, "node_id"),
        ({"node_id": GOOD["node_id"] + "\n"}, "node_id"),
        ({"name": "Demo"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": 5}, "name"),
        ({"box_key": "AAAA"}, "box_key"),
        ({"signature": "A" * 400}, "signature"),
        ({"address": "0.0.0.0"}, "address"),
        ({"address": "224.0.0.1"}, "address"),
        ({"address": "demo-2"}, "address"),
        ({"url": "http://10.0.0.1:1"}, "url"),
        ({"url": "https://user@127.0.0.1:1"}, "url"),
        ({"csr": "x" * 8193}, "csr"),
        ({"secret": "x" * 129}, "token_id"),
    ],
)
def test_a_bad_request_names_the_field_and_no_secret(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_join_request(json.dumps({**GOOD, **change}).encode())
    assert caught.value.field == field
    assert caught.value.status == 422
    assert GOOD["secret"] not in str(caught.value)


@pytest.mark.parametrize("missing", GOOD)
def test_every_field_is_needed(missing: str) -> None:
    with pytest.raises(InvalidInput, match=missing):
        parse_join_request(json.dumps({name: value for name, value in GOOD.items() if name != missing}).encode())


@given(st.binary(max_size=400))
def test_rubbish_is_invalid_input(rubbish: bytes) -> None:
    for parse in (parse_join_request, parse_join_answer):
        with pytest.raises(InvalidInput):
            parse(rubbish)
    parse_problem(rubbish)


def test_a_flood_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        parse_join_request(b" " * (MAX_REQUEST_BYTES + 1))


def test_representations_have_no_secret() -> None:
    assert GOOD["secret"] not in repr(parse_join_request(json.dumps(GOOD).encode()))
    answer = parse_join_answer(json.dumps(ANSWER).encode())
    assert answer.sealed == bytes(16)
    secrets = Secrets(colony_secret=bytes(16), others={2: bytes(16)})
    assert repr(bytes(16)) not in repr(secrets)


def test_a_newer_queen_may_say_more() -> None:
    assert isinstance(parse_join_answer(json.dumps({**ANSWER, "later": 1}).encode()), JoinAnswer)


@pytest.mark.parametrize("change", [{"sealed": ""}, {"etcd": []}, {"etcd": [""]}, {"joined_at": "x"}])
def test_an_unusable_answer_is_noticed(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        parse_join_answer(json.dumps({**ANSWER, **change}).encode())


@pytest.mark.parametrize("name", ["a", "demo-2", "a" * 63])
def test_host_names_are_node_names(name: str) -> None:
    check_name(Kind.NODE, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a.b",
        "a_b",
        "a b",
        "-",
        "-a",
        "1",
        "10.0.0.1",
        "ä",
        "a\n",
        "a" * 64,
        "{{x}}",
        "localhost",
        "all",
        "ungrouped",
    ],
)
def test_other_names_are_not(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(Kind.NODE, name)


def test_a_problem_becomes_one_printable_line() -> None:
    body = {"code": "x", "detail": "a\x1b[31m\r\n  b" + "c" * 900, "hint": "h", "status": 403}
    problem = parse_problem(json.dumps(body).encode())
    assert problem.detail.startswith("a [31m b")
    assert problem.detail.isprintable()
    assert len(problem.detail) <= 500
    assert problem.hint == "h"
