# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's ways through a colony, with answers made up here; real members are met in the project's own tests."""

from __future__ import annotations

import io
import zlib
from email.message import Message
from urllib.error import HTTPError, URLError

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._client import GatewayClient
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError, OutcomeUnknown, Refused, Unreachable
from ansible_collections.aware.cluster.plugins.module_utils._context import Connection

A, B, STRANGER = "https://192.0.2.1:8443", "https://192.0.2.2:8443", "https://198.51.100.9:443"


def headers(**values):
    message = Message()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


class Response(io.BytesIO):
    """What open_url returns."""

    def __init__(self, body, **values):
        super().__init__(body)
        self.headers = headers(**values)

    @staticmethod
    def getcode():
        return 200


def http_error(status, body=b"{}", **values):
    return HTTPError("https://x", status, "", headers(**values), io.BytesIO(body))


class Net:
    """Answers by base URL; a list is used up one by one, its last entry stays. Time passes only by sleeping."""

    def __init__(self, **answers):
        self.answers = dict(answers)
        self.asked = []
        self.now = 0.0

    def open(self, url, **options):
        base = url.split("/v1")[0]
        self.asked.append((base, options))
        answer = self.answers[base]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else Response(answer) if isinstance(answer, bytes) else answer

    def sleep(self, seconds):
        self.now += seconds

    def client(self, *endpoints, **options):
        connection = Connection(endpoints=endpoints, token="secret", deadline=5.0, **options)
        return GatewayClient(connection, opener=self.open, clock=lambda: self.now, sleep=self.sleep)

    def bases(self):
        return [base for base, options in self.asked]


REFUSED = URLError(ConnectionRefusedError(111, "Connection refused"))


def test_second_endpoint_answers():
    net = Net(**{A: REFUSED, B: b'{"term": 4}'})
    assert net.client(A, B).get("/v1/cluster") == {"term": 4}


def test_the_reason_given_is_not_that_the_last_try_ran_out_of_time():
    net = Net(**{A: [http_error(503, b'{"detail": "no queen now"}')]})

    def late():
        net.now = 9.0
        raise TimeoutError("timed out")

    net.answers[A].append(late)
    with pytest.raises(Unreachable, match="no queen now$"):
        net.client(A).get("/v1/cluster")
    assert net.bases() == [A, A]


def test_redirect_to_a_known_member_is_followed():
    net = Net(**{A: http_error(307, Location=B + "/v1/cluster"), B: b'{"term": 4}'})
    assert net.client(A, B).get("/v1/cluster") == {"term": 4}
    assert net.bases() == [A, B]


def test_after_a_write_its_queen_is_asked_first_for_others_show_it_a_moment_later():
    net = Net(**{A: [http_error(307, Location=B + "/v1/nodes/n"), b'{"seen": 0}'], B: lambda: Response(b'{"seen": 1}')})
    client = net.client(A, B)
    client.request("PATCH", "/v1/nodes/n", body={"labels": {}})
    assert client.get("/v1/nodes/n") == {"seen": 1}
    assert net.bases() == [A, B, B]


def test_redirect_to_a_stranger_is_not():
    net = Net(**{A: http_error(307, Location=STRANGER + "/v1/cluster")})
    with pytest.raises(Unreachable, match="no known member"):
        net.client(A).get("/v1/cluster")
    assert set(net.bases()) == {A}


@pytest.mark.parametrize(
    "spelling",
    [
        "http://192.0.2.2:8443/v1/x",
        "https://user@192.0.2.2:8443/v1/x",
        "https://192.0.2.2:7444/v1/x",
        "//192.0.2.2:8443",
        "https://[::1/",
        "",
    ],
)
def test_other_spellings_of_a_member_are_strangers(spelling):
    net = Net(**{A: http_error(307, Location=spelling), B: REFUSED})
    with pytest.raises(Unreachable):
        net.client(A, B).get("/v1/cluster")


def test_redirects_in_a_circle_end():
    net = Net(**{A: http_error(307, Location=B + "/v1/x"), B: http_error(307, Location=A + "/v1/x")})
    with pytest.raises(Unreachable):
        net.client(A, B).get("/v1/x")
    assert net.now <= 5.0


def test_waits_for_an_election():
    net = Net(**{A: [http_error(503, Retry_After="1"), http_error(503), b"{}"]})
    assert net.client(A).get("/v1/cluster") == {}
    assert net.now > 1.0


def test_gives_up_early_when_nothing_is_there():
    net = Net(**{A: REFUSED, B: REFUSED})
    with pytest.raises(Unreachable, match="refused"):
        net.client(A, B).get("/v1/cluster")
    assert net.now < 2.0


def test_no_is_no():
    net = Net(**{A: http_error(403, b'{"detail": "viewers only read", "code": "forbidden", "hint": "ask"}'), B: b"{}"})
    with pytest.raises(Refused, match=r"403: viewers only read \(ask\)") as caught:
        net.client(A, B).get("/v1/cluster")
    assert (caught.value.status, caught.value.code) == (403, "forbidden")
    assert net.bases() == [A]


def test_a_write_without_an_answer_is_sent_again_under_its_key():
    net = Net(**{A: URLError(TimeoutError("timed out")), B: b"{}"})
    client = net.client(A, B)
    assert client.request("POST", "/v1/queen/step-down", body={}).base == B
    assert net.bases() == [A, B]
    first, second = keys = [options["headers"]["Idempotency-Key"] for base, options in net.asked]
    assert first == second
    client.request("POST", "/v1/queen/step-down", body={})
    assert net.asked[-1][1]["headers"]["Idempotency-Key"] not in keys
    client.get("/v1/cluster")
    assert "Idempotency-Key" not in net.asked[-1][1]["headers"]


def test_when_nobody_tells_what_became_of_a_write_that_is_said():
    net = Net(**{A: URLError(TimeoutError("timed out")), B: REFUSED})
    with pytest.raises(OutcomeUnknown, match="look at the state before asking again"):
        net.client(A, B).request("POST", "/v1/queen/step-down", body={})
    net = Net(**{A: REFUSED, B: REFUSED})
    with pytest.raises(Unreachable):
        net.client(A, B).request("POST", "/v1/queen/step-down", body={})


def test_cut_off_answer_is_no_answer():
    net = Net(**{A: [Response(b'{"a": 1', Content_Length="20")], B: b'{"b": 2}'})
    assert net.client(A, B).get("/v1/x") == {"b": 2}


def test_gzip_is_unpacked_within_a_limit(monkeypatch):
    monkeypatch.setattr("ansible_collections.aware.cluster.plugins.module_utils._client.MAX_BODY", 1000)
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(b" " * 100000) + packer.flush()
    net = Net(**{A: lambda: Response(bomb, Content_Encoding="gzip")})
    with pytest.raises(Unreachable):
        net.client(A).get("/v1/x")


def test_never_leaves_following_proxies_or_netrc_to_the_library():
    net = Net(**{A: b"{}"})
    net.client(A).get("/v1/x")
    options = net.asked[0][1]
    assert options["follow_redirects"] == "none"
    assert options["use_netrc"] is False
    assert options["use_proxy"] is False
    assert options["headers"]["Authorization"] == "Bearer secret"


def test_not_json():
    with pytest.raises(GatewayError, match="not JSON"):
        Net(**{A: b"<html>"}).client(A).get("/v1/x")


@pytest.mark.parametrize("member", ["http://192.0.2.7:1", "https://192.0.2.7:1/path", "ftp://x", "", "https://-x:1"])
def test_members_that_are_not_learned(member):
    net = Net(**{A: REFUSED})
    client = GatewayClient(
        Connection(endpoints=(A,), token="t"), members=[member], opener=net.open, clock=lambda: net.now, sleep=net.sleep
    )
    with pytest.raises(Unreachable):
        client.get("/v1/x")
    assert set(net.bases()) == {A}


def test_no_members_without_certificates():
    net = Net(**{A: REFUSED})
    link = Connection(endpoints=(A,), token="t", validate_certs=False)
    with pytest.raises(Unreachable):
        GatewayClient(link, members=[B], opener=net.open, clock=lambda: net.now, sleep=net.sleep).get("/v1/x")
    assert set(net.bases()) == {A}
