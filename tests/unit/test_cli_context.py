"""Which context file is used, and what is wrong with those that are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aware_agent.cli.context import find_context, load_context
from aware_agent.cli.errors import ContextError
from tests.unit.cli_support import Authority

GOOD = {"colony": "demo", "endpoints": ["https://127.0.0.1:1"], "ca_file": "ca.crt", "token_file": "token"}


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_the_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWARE_CONTEXT", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "deep")
    with pytest.raises(ContextError, match="no context file"):
        find_context()
    own = write(tmp_path / "config" / "aware" / "context.json", GOOD)
    assert find_context() == own
    above = write(tmp_path / "work" / ".aware" / "context.json", GOOD)
    assert find_context() == above
    monkeypatch.setenv("AWARE_CONTEXT", "/from/environment")
    assert find_context() == Path("/from/environment")
    assert find_context(Path("option")) == Path("option")


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a" / "context.json", GOOD)
    monkeypatch.chdir(tmp_path)
    context = load_context(Path("a/context.json"))
    assert context.ca_file == tmp_path / "a" / "ca.crt"
    assert context.token() == ""
    assert context.members_file == tmp_path / "a" / "context.members.json"
    context.token_file.write_text("two\nlines")
    with pytest.raises(ContextError, match="holds no token") as caught:
        context.token()
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"endpoints": []}, "has no endpoints"),
        ({"endpoints": ["http://127.0.0.1:1"]}, "is not https"),
        ({"endpoints": "x"}, "endpoints"),
        ({"colony": None}, "colony"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    path = write(tmp_path / "context.json", {**GOOD, **change})
    with pytest.raises(ContextError, match=complaint) as caught:
        load_context(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 10


def test_without_a_home_there_is_no_file_of_ones_own(tmp_path: Path) -> None:
    """As a container with a random user has it: no HOME, no line in passwd."""
    program = [sys.executable, "-m", "aware_agent.cli", "status"]
    nobody = ["unshare", "--user", "--map-user=12345", "--map-group=12345", *program]
    if subprocess.run([*nobody[:4], "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(nobody, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 10
    assert done.stderr == "error: no context file found (make demo starts a colony; or use --context FILE)\n"
    environment["AWARE_CONTEXT"] = "~/context.json"
    done = subprocess.run(nobody, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 10
    assert "~/context.json: there is no such home directory (set HOME, or" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is not usable"),
        (b"\x00" * 64, "is not usable"),
        (b"\x7fELF\xff\xfe", "is not usable"),
        (b"[" * 100_000, "is not usable"),
        (b"[1, 2]", "is not usable"),
        (b'"text"', "is not usable"),
        (b" " * (3 << 20), "larger than 1 MiB"),
        (json.dumps({**GOOD, "ca_file": "a\0b"}).encode(), "Control characters"),
        (json.dumps({**GOOD, "token_file": "a\nb"}).encode(), "token_file is not the name of a file"),
        (json.dumps({**GOOD, "token_file": "~no-such-user/x"}).encode(), "no such home directory"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "context.json"
    path.write_bytes(content)
    with pytest.raises(ContextError, match=complaint) as caught:
        load_context(path, environment={})
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("field", ["ca_file", "token_file"])
@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "binary"])
def test_files_a_context_names(tmp_path: Path, field: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from aware_agent.cli.app import app

    Authority(tmp_path)
    path = write(tmp_path / "context.json", {**GOOD, field: "odd"})
    if kind == "directory":
        (tmp_path / "odd").mkdir()
    elif kind != "missing":
        (tmp_path / "odd").write_bytes(b"" if kind == "empty" else b"\xff\xfe\x00")
    if field == "token_file":
        if kind in {"missing", "empty"}:
            assert load_context(path, environment={}).token() == ""
        else:
            with pytest.raises(ContextError, match="token file"):
                load_context(path, environment={}).token()
        return
    result = CliRunner().invoke(app, ["whoami", "--context", str(path)])
    assert f"cannot use CA file {tmp_path / 'odd'}: " in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 10


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="No such file"):
        load_context(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"\xff{")
    with pytest.raises(ContextError, match="not usable"):
        load_context(tmp_path / "bad")


def run_cli(arguments: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {name: text for name, text in os.environ.items() if not name.startswith("AWARE_")}
    return subprocess.run(
        [sys.executable, "-m", "aware_agent.cli", *arguments],
        env={**bare, "XDG_CONFIG_HOME": "/none", **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_names_nothing_is_not_taken_for_unsaid(tmp_path: Path) -> None:
    write(tmp_path / ".aware" / "context.json", GOOD)
    Authority(tmp_path / ".aware")
    for arguments, environment, complaint in (
        (["status", "--context", ""], {}, "--context names no file"),
        (["status"], {"AWARE_ENDPOINTS": " , ,"}, "AWARE_ENDPOINTS has no endpoints"),
        (["status"], {"AWARE_TOKEN": "  "}, "AWARE_TOKEN holds no token"),
        (["spec", "plan", ""], {}, "no spec is named"),
        (["nodes", "show", "a\nb"], {}, "letters that cannot be printed"),
    ):
        done = run_cli(arguments, tmp_path, **environment)
        assert complaint in done.stderr, arguments
        assert done.stderr.count("\n") == 1
        assert done.returncode in (2, 10)


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    Authority(tmp_path)
    sound = write(tmp_path / "context.json", GOOD)
    token = write(tmp_path / "piped-token.json", {**GOOD, "token_file": "pipe"})
    authority = write(tmp_path / "piped-ca.json", {**GOOD, "ca_file": "pipe"})
    for odd in (str(tmp_path / "pipe"), "/dev/zero"):
        for arguments in (
            ["status", "--context", odd],
            ["spec", "plan", odd, "--context", str(sound)],
            ["backup", "verify", odd],
        ):
            done = run_cli(arguments, tmp_path)
            assert "not an ordinary file" in done.stderr, arguments
            assert done.returncode == (10 if arguments[0] == "status" else 9)
    for context in (token, authority):
        assert "not an ordinary file" in run_cli(["status", "--context", str(context)], tmp_path).stderr


def test_a_secret_may_come_through_a_pipe(tmp_path: Path) -> None:
    from aware_agent.cli.files import read_secret_text, read_text
    from aware_agent.colony.errors import InvalidInput

    reader, writer = os.pipe()
    os.write(writer, b"secret\n")
    os.close(writer)
    with pytest.raises(InvalidInput, match="not an ordinary file"):
        read_text(Path(f"/dev/fd/{reader}"), "spec")
    assert read_secret_text(Path(f"/dev/fd/{reader}"), "password file") == "secret"
    os.close(reader)


def test_a_half_made_demo_asks_for_no_login(tmp_path: Path) -> None:
    from tests.unit.cli_support import Reply, colony

    with colony(tmp_path / "demo") as made:
        fake = made.gateway()
        made.context(fake.url)
        fake.routes["GET /v1/cluster"] = lambda _: Reply({"detail": "no token", "code": "unauthenticated"}, status=401)
        context = load_context(made.context_file, environment={})
        for path in (context.token_file, context.refresh_file):
            path.unlink(missing_ok=True)
        (context.path.parent / ".local-colony").write_text("")
        done = run_cli(["status", "--context", str(context.path)], tmp_path)
        assert done.stderr == "error: the demo is only half made: nobody has logged in to it yet (make demo)\n"
        (context.path.parent / "played.json").write_text("{}")
        assert "(aware login)" in run_cli(["status", "--context", str(context.path)], tmp_path).stderr


def test_a_file_of_proc_that_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as /proc/kmsg, which calls itself an ordinary file; a pipe stands for it, where that cannot be opened."""
    from aware_agent.security import regular

    reader, writer = os.pipe()
    monkeypatch.setattr(regular.stat, "S_ISREG", lambda _: True)
    with pytest.raises(OSError, match="not an ordinary file"):
        regular.read_regular(Path(f"/dev/fd/{reader}"))
    os.close(reader)
    os.close(writer)
