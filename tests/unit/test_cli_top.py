"""``aware top`` on a real terminal: what it refuses, what its keys do, and how it leaves the terminal behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.screen import Screen
from tests.unit.cli_support import Ask, Colony, FakeGateway, Reply, cluster_document, node, queen_document

Open = Callable[..., Screen]
COMMAND = [sys.executable, "-m", "aware_agent.cli", "top", "--interval", "0.2"]


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    serve(fake)
    return fake


def serve(fake: FakeGateway, name: str = "demo-1", term: int = 7, nodes: int = 3) -> None:
    cluster = cluster_document(fake.url) | {"term": term, "queen": queen_document(fake.url, name, term)}
    fake.say("GET /v1/cluster", cluster)
    found = [node(f"demo-{i}", fake.url) for i in range(1, nodes + 1)]
    fake.say("GET /v1/nodes", {"revision": 42, "term": term, "nodes": found})
    fake.say("GET /v1/council/members", {"wanted": None, "members": [], "message": "", "trouble": ""})
    old = {"id": "a", "revision": 40, "time": 1.0, "type": "node.joined", "severity": "info", "message": "an old one"}
    fake.say("GET /v1/events", {"revision": 42, "more": False, "events": [old]})
    fake.routes["GET /v1/events/stream"] = lambda _: Reply(raw=b": nothing\n\n")


@pytest.fixture
def start(demo: Colony) -> Iterator[Open]:
    screens: list[Screen] = []

    def made(size: tuple[int, int] = (24, 80), **environment: str) -> Screen:
        screens.append(Screen(COMMAND, environment=surroundings(demo, **environment), cwd=demo.directory, size=size))
        return screens[-1]

    yield made
    for screen in screens:
        screen.__exit__(None, None, None)


def surroundings(demo: Colony, **changes: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "AWARE_CONTEXT": str(demo.context_file), "TERM": "xterm-256color", "LANG": "C.UTF-8", **changes}


def test_it_shows_the_colony_and_leaves_the_terminal_as_it_was(queen: FakeGateway, start: Open) -> None:
    screen = start()
    frame = screen.wait("an old one")
    assert len(frame) == 24
    assert max(len(line) for line in frame) <= 80
    assert "colony demo  healthy" in frame[0]
    assert "\x1b[3" in screen.drawn, "a terminal has colours"
    screen.press("q")
    assert screen.ended() == 0
    assert screen.is_restored()
    assert all(path.startswith("GET ") for path in queen.paths()), "it only reads"


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_without_a_terminal_it_says_so(demo: Colony, queen: FakeGateway, stream: str) -> None:
    master, slave = os.openpty()
    pipes: dict[str, Any] = {"stdin": slave, "stdout": slave, stream: subprocess.DEVNULL}
    done = subprocess.run(
        COMMAND, **pipes, stderr=subprocess.PIPE, text=True, timeout=60, check=False, env=surroundings(demo)
    )
    os.close(master)
    os.close(slave)
    assert done.returncode == 2
    assert done.stderr.startswith("error: aware top draws on a terminal, and there is none (aware status, or")
    assert done.stderr.count("\n") == 1
    assert queen.asked == []


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_cannot_be_drawn_on(queen: FakeGateway, start: Open, kind: str) -> None:
    screen = start(TERM=kind)
    assert screen.ended() == 2
    assert "error: this terminal (TERM) cannot be drawn on" in screen.drawn
    assert screen.drawn.count("\n") == 1


def test_what_the_first_look_says_is_one_line_on_the_usual_screen(
    demo: Colony, queen: FakeGateway, start: Open
) -> None:
    queen.say("GET /v1/cluster", {"code": "unauthenticated", "detail": "no token"}, 401)
    screen = start()
    assert screen.ended() == 3
    assert screen.drawn == "error: no token (aware login)\r\n"


def test_no_color_is_respected(queen: FakeGateway, start: Open) -> None:
    screen = start(NO_COLOR="1")
    screen.wait("an old one")
    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", screen.drawn) for code in found.split(";")}
    assert codes <= {"", "0", "1", "2"}, "bold and dim are no colours"


def test_another_size_is_followed(queen: FakeGateway, start: Open) -> None:
    screen = start()
    screen.wait("q leave")
    screen.resize(12, 50)
    frame = screen.wait(lambda found: len(found) == 12)
    assert max(len(line) for line in frame) <= 50
    screen.resize(5, 20)
    screen.wait("aware top needs 40 x")
    screen.resize(24, 80)
    screen.wait("an old one")


def test_keys(queen: FakeGateway, start: Open) -> None:
    serve(queen, nodes=30)
    screen = start()
    screen.wait("NODE 1-")
    screen.press("j\x1b[B")
    screen.wait("NODE 3-")
    screen.press("\x1b[H")
    screen.wait("NODE 1-")
    screen.press("s")
    screen.wait("s sort: name")
    screen.press("t")
    screen.wait(lambda found: len(found) > 1 and not any("worker" in line for line in found))
    screen.press("t")
    screen.press("h")
    screen.wait("Nothing here changes the colony.")
    screen.press("h x\x00\x1b[200~")  # what means nothing does nothing; the blank stops it
    screen.wait("standing still")
    serve(queen, name="demo-2", term=9)
    screen.press(" ")
    screen.wait("demo-1 -> demo-2, term 9: seen within")
    screen.press("q")
    assert screen.ended() == 0


def test_events_come_as_they_happen(queen: FakeGateway, start: Open) -> None:
    happens = threading.Event()
    said = {
        "id": "b",
        "revision": 43,
        "time": 2.0,
        "type": "node.lost",
        "severity": "error",
        "message": "demo-3 is gone",
    }

    def stream(_: Ask) -> Reply:
        happens.wait(30)
        odd = {"id": 3, "revision": 43, "type": "node.odd", "message": []}
        return Reply(raw="".join(f"id: 43\ndata: {json.dumps(one)}\n\n" for one in (odd, said)).encode())

    queen.routes["GET /v1/events/stream"] = stream
    screen = start()
    before = screen.wait("an old one")
    assert not any("demo-3 is gone" in line for line in before)
    happens.set()
    frame = screen.wait("demo-3 is gone")
    assert any("an event that cannot be read, at revision 43" in line for line in frame)
    assert sum("demo-3 is gone" in line for line in frame) == 1, "a stream that is read again tells nothing twice"


def test_it_goes_on_when_nobody_answers_and_when_a_login_is_over(demo: Colony, queen: FakeGateway, start: Open) -> None:
    other = demo.gateway()
    serve(other, name="demo-2", term=9)
    demo.context(queen.url, other.url)
    screen = start()
    screen.wait("queen demo-1")
    queen.routes = dict.fromkeys(queen.routes, lambda _: Reply(cut=True))  # every connection breaks
    screen.wait("queen demo-2")
    for path in ("cluster", "nodes", "events"):
        other.say(f"GET /v1/{path}", {"code": "unauthenticated", "detail": "the token is over"}, 401)
    screen.wait("the token is over (aware login)")
    serve(other, name="demo-2", term=9)
    frame = screen.wait("q leave")
    assert any("queen demo-2" in line for line in frame)
    for odd in (["something else"], {}, {**cluster_document("x"), "castes": [3]}, None):
        other.say("GET /v1/cluster", odd)
        screen.wait("the gateway answers something else than this command knows")
        serve(other, name="demo-2", term=9)
        screen.wait("q leave")
    serve(other, name="demo-2", term=9)
    screen.wait("q leave")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_a_signal_leaves_the_terminal_as_it_was(queen: FakeGateway, start: Open, number: int, code: int) -> None:
    screen = start()
    screen.wait("q leave")
    screen.process.send_signal(number)
    assert screen.ended() == code
    assert screen.is_restored()
    assert "Traceback" not in screen.drawn


def test_it_can_be_stopped_and_brought_back(queen: FakeGateway, start: Open) -> None:
    """As Ctrl-Z and fg do it."""
    screen = start()
    screen.wait("q leave")
    screen.process.send_signal(signal.SIGTSTP)
    assert os.waitid(os.P_PID, screen.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED
    screen.read_all()
    assert screen.is_restored()
    screen.drawn = screen.drawn.replace("queen", "")
    screen.process.send_signal(signal.SIGCONT)
    screen.wait("queen demo-1")
    screen.press("q")
    assert screen.ended() == 0
    assert screen.is_restored()
