"""A really full disk: a small tmpfs in a mount namespace of our own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
PROBE = "mount -t tmpfs -o size=64k none /mnt"

SCRIPT = textwrap.dedent("""
    import asyncio, json, os, subprocess, sys
    from pathlib import Path
    from aware_agent.agent.join import Newcomer, join
    from aware_agent.agent.state import DiskFull, Membership, StateDir
    from aware_agent.security.token import make_token

    mount = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", str(mount)], check=True)
    state = StateDir(mount / "state")
    state.prepare()
    state.ensure_identity("demo-1", now=1e9)
    state.save_key(b"the key")
    state.save(Membership(colony="demo", secret=b"s" * 32, etcd=("a:1",), joined_at=1.0), certificate=b"c", ca=b"a")
    state.membership_path.unlink()

    filler = os.open(mount / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(filler, b"x" * 4096):
            pass
    except OSError:
        os.close(filler)

    def listing():
        return {path.name: path.read_bytes().hex() for path in state.path.iterdir()}

    def attempt(action):
        try:
            action()
        except DiskFull as error:
            return [str(error), error.exit_code]
        return ["no error", 0]

    async def ways():
        print("asked for a way although the disk was full")
        yield None

    def try_to_join():
        state.key_path.write_bytes(KEY)
        token = make_token("A" * 43, bytes(40))
        asyncio.run(join(Newcomer("demo", "demo-1", "127.0.0.1", "https://127.0.0.1:1"), state, token, ways))

    from aware_agent.security.pki import make_key
    KEY = make_key()
    before = listing()
    report = {"key": attempt(lambda: state.save_key(b"k" * 50_000)), "reserve": attempt(state.reserve)}
    report["untouched"] = listing() == before
    os.truncate(mount / "filler", os.path.getsize(mount / "filler") - 8192)
    report["join"] = attempt(try_to_join)
    report["files"] = sorted(listing())
    (mount / "filler").unlink()
    state.reserve()
    state.release()
    report["after"] = sorted(listing())
    print(json.dumps(report))
""")


def _run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*UNSHARE, *argv], capture_output=True, text=True, timeout=120, check=False)


def test_a_full_disk_is_one_line_and_harms_nothing(tmp_path: Path) -> None:
    try:
        probe = _run(["sh", "-c", PROBE])
    except FileNotFoundError:
        pytest.skip("there is no unshare on this machine")
    if probe.returncode:
        pytest.skip(f"this machine permits no mount namespace: {probe.stderr.strip()}")
    done = _run([sys.executable, "-c", SCRIPT, str(tmp_path)])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for action in ("key", "reserve", "join"):
        text, exit_code = report[action]
        assert "no space left" in text, action
        assert str(tmp_path / "state") in text
        assert "\n" not in text
        assert exit_code == 18
    assert report["untouched"] is True
    assert report["files"] == ["ca.crt", "node.crt", "node.json", "node.key"]
    assert report["after"] == report["files"]
