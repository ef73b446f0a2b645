"""Why a gateway could not be asked: the reason is the true one, and every host has its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from aware_agent.cli.client import Gateway
from aware_agent.cli.context import load_context
from aware_agent.cli.errors import Unreachable
from aware_agent.cli.reasons import listed
from tests.tls_support import SENTENCES, make_authority, make_wrong_pair, pem
from tests.unit.cli_support import Colony, Reply, free_port, problem


@pytest.fixture
def plain_server() -> Iterator[str]:
    """Something that does not speak TLS."""
    with socket.create_server(("127.0.0.1", free_port())) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def failure(demo: Colony, *endpoints: str, deadline_s: float = 0.3) -> Unreachable:
    context = load_context(demo.context(*endpoints), environment={})
    with Gateway(context, deadline_s=deadline_s, timeout_s=5.0) as client, pytest.raises(Unreachable) as caught:
        client.get("/v1/queen")
    return caught.value


@pytest.mark.parametrize("wrong", [wrong for wrong in SENTENCES if wrong != "no TLS"])
def test_what_is_wrong_with_a_certificate(demo: Colony, wrong: str) -> None:
    authority = make_authority()
    demo.authority.ca_file.write_bytes(pem(authority[1]))
    make_wrong_pair(demo.authority.pair_file, authority, wrong)
    url = demo.gateway().url
    text = str(failure(demo, url))
    assert f"no gateway of colony demo answered within 0.3 s: {url}: {SENTENCES[wrong]}" in text
    assert "_ssl.c" not in text


def test_a_port_of_somebody_else(demo: Colony, plain_server: str) -> None:
    assert f"{plain_server}: {SENTENCES['no TLS']}" in str(failure(demo, plain_server))


def test_every_endpoint_has_its_reason_and_one_that_answered_is_not_denied(demo: Colony) -> None:
    lost, gone = demo.gateway(), f"https://127.0.0.1:{free_port()}"
    lost.routes["GET /v1/queen"] = lambda _: problem(
        503, "no-queen", "there is no queen: etcd is full", hint="make room"
    )
    error = failure(demo, gone, lost.url)
    assert f"{gone}: Connection refused" in str(error)
    assert f"{lost.url}: there is no queen: etcd is full" in str(error)
    assert "no gateway" not in str(error)
    assert error.message.startswith("the queen of colony demo was not found within 0.3 s: ")
    assert error.hint == "make room", "what the colony says to do comes last"
    assert error.exit_code == 7


def test_what_a_host_said_is_not_forgotten_when_it_then_goes_away(demo: Colony) -> None:
    lost = demo.gateway()
    replies = iter([problem(503, "no-queen", "an election is under way")])
    lost.routes["GET /v1/queen"] = lambda _: next(replies, Reply(cut=True))
    error = failure(demo, lost.url, deadline_s=0.4)
    assert len(lost.asked) > 1
    assert f"{lost.url}: an election is under way" in str(error)


def test_a_redirect_to_a_dead_queen_names_both(demo: Colony) -> None:
    worker, gone = demo.gateway(), f"https://127.0.0.1:{free_port()}"
    worker.redirect_to = gone
    error = failure(demo, worker.url, gone)
    assert f"{worker.url}: it redirects to {gone}: Connection refused" in str(error)


def test_many_hosts_do_not_fill_the_screen() -> None:
    text = listed({f"https://h{number}": "down" for number in range(30)})
    assert text.count("down") == 20
    assert text.endswith("; and 10 more")
