"""The audit log as syslog: messages of RFC 5424, frames of RFC 5425, and the process that sends them."""

from __future__ import annotations

import json
import re
import ssl
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.agent.settings import AuditSettings, Settings
from aware_agent.agent.settings_rules import check_settings
from aware_agent.colony.audit import REFUSED, TAMPERED, Asker, AuditLine, Head, Kind, Result, chained, entry, head_of
from aware_agent.colony.audit_check import Named, check_chain
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.reach import Reach
from aware_agent.colony.syslog import framed, message
from aware_agent.queen.syslog import connection as connecting
from aware_agent.queen.syslog.courier import Courier
from aware_agent.queen.syslog.messages import Begin, Failing, FromCourier, Settled
from tests.patience import eventually
from tests.syslog_support import Receiver
from tests.tls_support import SENTENCES, make_authority, make_wrong_pair, pem, server_pair

# The grammar of RFC 5424, section 6, as far as it is used: HEADER SP STRUCTURED-DATA SP MSG
MESSAGE = re.compile(
    rb"<(?P<pri>[1-9][0-9]{0,2})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) (?P<host>[!-~]{1,255}) aware "
    rb"(?P<proc>[!-~]{1,128}) (?P<id>[!-~]{1,32}) \[meta sequenceId=\"(?P<seq>[1-9][0-9]{0,9})\"\] (?P<msg>\{[ -~]*\})"
)
HOST = "demo-1"


def chain(count: int, **told: object) -> list[AuditLine]:
    head, lines = Head(), []
    for number in range(count):
        asker = Asker(kind=Kind.USER, source="192.0.2.1")
        said = entry(asker, now=1.5 + number, action="put-spec", actor="ada", **{"change": f"n{number}", **told})
        lines.append(chained(said, head, term=7))
        head = head_of(lines[-1])
    return lines


def parsed(text: bytes) -> dict[str, bytes]:
    found = MESSAGE.fullmatch(text)
    assert found is not None, text
    return found.groupdict()


@given(st.text(max_size=200), st.text(max_size=200), st.integers(0, 2**50))
def test_every_line_is_a_message_that_holds_the_line(action: str, change: str, seq: int) -> None:
    said = entry(Asker(), now=1.5, action=action, actor="ada", change=change)
    line = chained(said, Head(seq=seq), term=7)
    found = parsed(message(line, HOST))
    assert msgspec.convert(json.loads(found["msg"]), AuditLine) == line
    assert found["host"] == HOST.encode()
    assert int(found["seq"]) < 2**31


def test_what_people_shall_look_at_has_another_severity() -> None:
    def pri(action: str, result: Result = Result.DONE) -> int:
        said = entry(Asker(), now=1.5, action=action, actor="", result=result)
        return int(parsed(message(chained(said, Head(), term=1), HOST))["pri"])

    assert [divmod(pri(*one), 8) for one in (("put-spec",), (REFUSED, Result.REFUSED), (TAMPERED,))] == [
        (13, 5),
        (13, 4),
        (13, 1),
    ]


def test_a_frame_says_how_many_bytes_follow() -> None:
    assert framed(b"ab c") == b"4 ab c"


def begin(port: int, ca: Path, host: str = "localhost") -> Begin:
    return Begin(
        host=host,
        port=port,
        node=HOST,
        reach=Reach(inside=True),
        ca_file=str(ca),
        certificate_file="",
        key_file="",
    )


def sends(courier: Courier) -> None:
    threading.Thread(target=courier.run, daemon=True).start()


def test_what_a_broken_connection_may_have_lost_is_sent_again_in_order(tmp_path: Path) -> None:
    ca, certificate, key = server_pair(tmp_path, "localhost")
    told: list[FromCourier] = []
    lines = chain(40)
    with Receiver(certificate, key, breaks=2).running() as receiver:
        courier = Courier(begin(receiver.port, ca), told.append, settle_s=0.2)
        courier.hand(tuple(lines[:20]))
        sends(courier)
        courier.hand(tuple(lines[20:]))
        eventually(lambda: any(one == Settled(head=head_of(lines[-1])) for one in told), "not all of it is settled")
        assert receiver.broken == 2
        assert not receiver.trouble
        got = [msgspec.convert(json.loads(parsed(one)["msg"]), AuditLine) for one in receiver.messages]
    assert list(dict.fromkeys(line.seq for line in got)) == [line.seq for line in lines]
    assert check_chain([Named(line, "") for line in dict.fromkeys(got)]).whole
    assert any(isinstance(one, Failing) for one in told)


@pytest.mark.parametrize("wrong", sorted(SENTENCES.keys() - {"no TLS"}))
def test_nobody_but_the_receiver_of_that_name_is_told(tmp_path: Path, wrong: str) -> None:
    authority, pair, ca = make_authority(), tmp_path / "pair", tmp_path / "ca"
    make_wrong_pair(pair, authority, wrong)
    ca.write_bytes(pem(authority[1]))
    told: list[FromCourier] = []
    with Receiver(pair).running() as receiver:
        courier = Courier(begin(receiver.port, ca, "127.0.0.1"), told.append)
        courier.hand(tuple(chain(2)))
        courier.once()
        assert receiver.messages == []
        assert receiver.connections == 1
    (failing,) = told
    assert isinstance(failing, Failing)
    assert "certificate" in failing.reason


def test_a_receiver_that_wants_a_certificate_gets_it_and_nothing_without(tmp_path: Path) -> None:
    ca, certificate, key = server_pair(tmp_path, "localhost")
    told: list[FromCourier] = []
    line = chain(1)[0]
    with Receiver(certificate, key, clients=ca).running() as receiver:
        without = begin(receiver.port, ca)
        one = Courier(without, told.append, settle_s=0.2)
        one.hand((line,))
        one.once()
        assert isinstance(told.pop(), Failing)
        assert receiver.messages == []
        with_one = msgspec.structs.replace(without, certificate_file=str(certificate), key_file=str(key))
        two = Courier(with_one, told.append, settle_s=0.2)
        two.hand((line,))
        sends(two)
        eventually(lambda: told == [Settled(head=head_of(line))], "it is not settled")


def test_addresses_that_no_receiver_has_are_not_called(tmp_path: Path) -> None:
    told: list[FromCourier] = []
    courier = Courier(begin(6514, server_pair(tmp_path, "localhost")[0], "169.254.169.254"), told.append)
    courier.hand(tuple(chain(1)))
    courier.once()
    assert isinstance(told[0], Failing)
    assert "metadata" in told[0].reason


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    told: list[FromCourier] = []
    courier = Courier(begin(1, tmp_path / "nowhere"), told.append)
    courier.hand(tuple(chain(1)))
    courier.once()
    assert isinstance(told[0], Failing)
    assert "syslog_ca_file" in told[0].reason


def test_bytes_that_the_receivers_host_has_not_are_known(tmp_path: Path) -> None:
    """A receiver that takes nothing: its buffers fill, and the kernel says so."""
    ca, certificate, key = server_pair(tmp_path, "localhost")
    receiver = Receiver(certificate, key)
    raw: list[ssl.SSLSocket] = []

    def accept() -> None:
        one, _ = receiver._socket.accept()
        raw.append(receiver._context.wrap_socket(one, server_side=True))

    threading.Thread(target=accept, daemon=True).start()
    with connecting.Connection(begin(receiver.port, ca)) as connection:
        eventually(lambda: raw, "no connection")
        connection.send(b"x" * 100)
        eventually(lambda: connection.unacknowledged() == 0, "its host takes what fits")
        connection._socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.send(b"x" * (64 << 20))
        assert connection.unacknowledged() > 0
    raw[0].close()
    receiver._socket.close()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("audit.syslog", {"syslog": "logs.example"}),
        ("audit.syslog", {"syslog": "https://logs.example:6514"}),
        ("audit.syslog", {"syslog": "logs.example:99999"}),
        ("audit.syslog_key_file", {"syslog": "logs.example:6514", "syslog_certificate_file": "/a"}),
        ("audit.syslog_ca_file", {"syslog": "logs.example:6514", "syslog_ca_file": "ca.pem"}),
    ],
)
def test_settings_that_cannot_be_are_named(field: str, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_settings(Settings(colony="demo", name="demo-1", state_dir="/s", audit=AuditSettings(**wrong)))
    assert raised.value.field == field


@pytest.mark.parametrize("good", ["logs.example:6514", "[2001:db8::1]:6514", "192.0.2.7:6514", "off", ""])
def test_settings_that_can_be(good: str) -> None:
    check_settings(Settings(colony="demo", name="demo-1", state_dir="/s", audit=AuditSettings(syslog=good)))
