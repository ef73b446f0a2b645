"""What a shell completes: names the colony knows, bounded in time, remembered for a moment, silent when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aware_agent.cli.completing import CACHE_S
from tests.unit.cli_support import Ask, Colony, FakeGateway, Reply, colony, node


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Colony]:
    with colony(tmp_path / "demo") as made:
        yield made


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    nodes = [node("web-2"), node("web-1"), node("db-1")]
    fake.say("GET /v1/nodes", {"revision": 42, "term": 7, "nodes": nodes})
    fake.say("GET /v1/castes", {"castes": [{"name": "web"}, {"name": "db"}]})
    fake.say("GET /v1/operations", {"operations": [{"name": "patch"}], "skipped": [], "members": []})
    fake.say("GET /v1/jobs", {"jobs": [{"id": "01JOB"}]})
    return fake


def completed(demo: Colony, line: str, **environment: str) -> list[str]:
    """What bash is given for ``line``; the last word is being typed."""
    told = complete(demo, line, **environment)
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout.split()


def complete(demo: Colony, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = line.split(" ")
    settings = {
        "_AWARE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "AWARE_CONTEXT": str(demo.context_file),
        "XDG_CACHE_HOME": str(demo.directory / "cache"),
        "XDG_CONFIG_HOME": str(demo.directory / "config"),
        "PATH": os.environ["PATH"],
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "aware_agent.cli"],
        env=settings,
        cwd=demo.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("aware nodes show w", ["web-1", "web-2"]),
        ("aware nodes show ", ["db-1", "web-1", "web-2"]),
        ("aware nodes config get db", ["db-1"]),
        ("aware queen transfer we", ["web-1", "web-2"]),
        ("aware castes show d", ["db"]),
        ("aware job run ", ["patch"]),
        ("aware job show 01", ["01JOB"]),
        ("aware context us", ["use"]),
    ],
)
def test_names_the_colony_knows(demo: Colony, queen: FakeGateway, line: str, names: list[str]) -> None:
    assert completed(demo, line) == names


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(demo: Colony, queen: FakeGateway, shell: str) -> None:
    line, names = "aware nodes show w", ["web-1", "web-2"]
    asked = {"_AWARE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, "COMP_WORDS": ""}
    told = complete(demo, line, _TYPER_COMPLETE_FISH_ACTION="get-args", **asked)
    assert (told.returncode, told.stderr) == (0, "")
    assert [name for name in ("db-1", *names) if name in told.stdout] == names


def test_names_of_contexts_and_files(demo: Colony, queen: FakeGateway) -> None:
    saved = demo.directory / "config" / "aware" / "contexts"
    saved.mkdir(parents=True)
    for name in ("prod", "prep", "lab", "lab.members"):
        (saved / f"{name}.json").write_text(demo.context_file.read_text())
    (demo.directory / "prefix").mkdir()
    assert completed(demo, "aware context use pr") == ["prep", "prod"]
    assert completed(demo, "aware context use l") == ["lab"]
    assert completed(demo, "aware status --context pr") == ["prep", "prod", "prefix/"]
    assert queen.asked == [], "what is on this machine needs no colony"


def test_the_colony_is_that_of_the_line(demo: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    with colony(tmp_path / "other") as other:
        fake = other.gateway()
        other.context(fake.url)
        fake.say("GET /v1/nodes", {"revision": 1, "term": 1, "nodes": [node("other-1")]})
        assert completed(demo, f"aware nodes show --context {other.context_file} ") == ["other-1"]
    assert queen.asked == []


def test_an_answer_is_remembered_for_a_moment(demo: Colony, queen: FakeGateway) -> None:
    assert completed(demo, "aware nodes show d") == ["db-1"]
    queen.say("GET /v1/nodes", {"revision": 43, "term": 7, "nodes": [node("db-2")]})
    assert completed(demo, "aware nodes show d") == ["db-1"]
    assert queen.paths() == ["GET /v1/nodes"]
    assert queen.asked[0].query == {"fields": "name"}
    (file,) = (demo.directory / "cache" / "aware" / "completion").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    os.utime(file, (time.time(), time.time() - CACHE_S - 1))
    assert completed(demo, "aware nodes show d") == ["db-2"]
    file.write_text("{damaged")
    assert completed(demo, "aware nodes show d") == ["db-2"]


def test_a_gateway_that_says_nothing_is_not_waited_for(demo: Colony) -> None:
    """It is silent for as long as the completion takes; the next key press does not even ask."""
    fake = demo.gateway()
    demo.context(fake.url)
    over = threading.Event()

    def silent(_: Ask) -> Reply:
        over.wait(60)
        return Reply({"nodes": [node("db-1")]})

    fake.routes["GET /v1/nodes"] = silent
    assert completed(demo, "aware nodes show d") == []
    assert not over.is_set()
    asked = len(fake.asked)
    assert completed(demo, "aware nodes show d") == []
    assert len(fake.asked) == asked
    over.set()


@pytest.mark.parametrize("answer", [{}, {"nodes": 3}, {"nodes": [3]}, {"nodes": [{}]}, []])
def test_an_answer_of_another_kind_completes_nothing(demo: Colony, queen: FakeGateway, answer: object) -> None:
    queen.say("GET /v1/nodes", answer)
    assert completed(demo, "aware nodes show d") == []


def test_nothing_is_said_without_context_home_or_login(demo: Colony, queen: FakeGateway) -> None:
    assert completed(demo, "aware nodes show d", AWARE_CONTEXT="/none") == []
    demo.context_file.write_text("{damaged")
    assert completed(demo, "aware nodes show d") == []
    demo.context(queen.url)
    queen.say("GET /v1/nodes", {"code": "unauthenticated"}, 401)
    assert completed(demo, "aware nodes show d", XDG_CACHE_HOME="", HOME="/dev/null") == []


def test_a_token_is_never_renewed(demo: Colony, queen: FakeGateway) -> None:
    """A shell may give up in the middle: the old one is used up then, and the new one lost."""
    (demo.directory / "token.refresh").write_text("only-once\n")
    queen.say("GET /v1/nodes", {"code": "unauthenticated"}, 401)
    assert completed(demo, "aware nodes show d") == []
    assert "POST /v1/auth/refresh" not in queen.paths()
    assert json.dumps(queen.paths()).count("/v1/nodes") == 1
