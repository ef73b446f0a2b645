"""Runs deploy/heat/bootstrap.sh as cloud-init would, below a directory of its own, with a systemd of 15 lines."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

import aware_agent

ROOT = Path(aware_agent.__file__).resolve().parent.parent
BOOTSTRAP = ROOT / "deploy" / "heat" / "bootstrap.sh"
# Starts what the unit says and keeps its process id; fails as the real one when it is told to.
SYSTEMCTL = """\
#!/bin/sh
set -eu
echo "$*" >>"$SANDBOX/systemctl.log"
case $1 in
enable)
    [ ! -e "$SANDBOX/systemd-is-broken" ] || exit 1
    # What runs already is left alone.
    if [ -s "$SANDBOX/agent.pid" ] && kill -0 "$(cat "$SANDBOX/agent.pid")" 2>/dev/null; then exit 0; fi
    start=$(sed -n 's/^ExecStart=//p' "$AWARE_ROOT/etc/systemd/system/aware-agent.service")
    setsid sh -c "echo \\$\\$ >'$SANDBOX/agent.pid'; exec $start" >"$SANDBOX/agent.log" 2>&1 </dev/null &
    ;;
esac
"""


class Guest:
    """A server as far as the bootstrap can tell. ``values`` are the files cloud-init would write."""

    def __init__(self, directory: Path, hostname: str, values: Mapping[str, str]) -> None:
        self.root = directory / "root"
        self.inputs = directory / "bootstrap"
        self.directory = directory
        programs = directory / "bin"
        for path in (self.root, self.inputs, programs):
            path.mkdir(parents=True, mode=0o700)
        for name, text in {"wait": "60", **values}.items():
            (self.inputs / name).write_text(text)
        self._program(programs / "systemctl", SYSTEMCTL)
        self._program(programs / "hostname", f"#!/bin/sh\necho '{hostname}'\n")
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(directory),
            "SANDBOX": str(directory),
            "AWARE_ROOT": str(self.root),
            "AWARE_BOOTSTRAP": str(self.inputs),
            "AWARE_USER": subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip(),
            "AWARE_PYTHON": getattr(sys, "_base_executable", sys.executable),
            "AWARE_ADDRESS": "127.0.0.1",
        }

    def boot(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """What cloud-init's runcmd does."""
        return subprocess.run(
            ["sh", str(BOOTSTRAP)],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def file(self, path: str) -> Path:
        """A file of the server."""
        return self.root / path.lstrip("/")

    @property
    def log(self) -> str:
        """What the agent said."""
        path = self.directory / "agent.log"
        return path.read_text() if path.exists() else ""

    def stop(self, how: int = signal.SIGKILL) -> None:
        """End the agent."""
        path = self.directory / "agent.pid"
        if path.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text()), how)
            path.unlink()

    def _program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o700)


def wheel(directory: Path, module: str = "", entry: str = "aware_agent.daemon:main") -> Path:
    """A wheel ``aware-agent`` that needs no network: this checkout and its packages, or ``module``'s text instead."""
    path = directory / "aware_agent-9.0.0-py3-none-any.whl"
    info = "aware_agent-9.0.0.dist-info"
    sites = [p for p in sys.path if p.endswith("site-packages")]
    files = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: aware-agent\nVersion: 9.0.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\naware-agent = {entry}\n",
    }
    if module:
        files["stub_agent.py"] = module
    else:
        files["checkout.pth"] = "\n".join([f"import site; site.addsitedir({p!r})" for p in sites] + [str(ROOT), ""])
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


class Signals:
    """Heat's signal endpoint on loopback; answers with ``status`` and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(msgspec.json.decode(body))
                outer.tokens.append(self.headers["x-auth-token"])
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/signal"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def guest(directory: Path, hostname: str, values: Mapping[str, str]) -> Iterator[Guest]:
    """A guest whose agent is ended and whose files are removed."""
    made = Guest(directory / hostname, hostname, values)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.directory, ignore_errors=True)
