"""The process around ansible-runner: ``python -m aware_agent.queen.runner_process DIRECTORY``.

Runs the playbook ``DIRECTORY/job.json`` names, ends it when standard input is closed, and writes one JSON document
to standard output. It keeps no events and no output on disk.

Ansible's workers lead sessions of their own, so the signal that ends a playbook does not reach them. This process
adopts them (prctl(2), PR_SET_CHILD_SUBREAPER) and ends before none of them does: whoever waits for it may remove
DIRECTORY.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_FAILURES = 5
MAX_TEXT = 120
GONE_S = 5.0  # killed processes get so long to disappear
_PR_SET_CHILD_SUBREAPER = 36


class Failures:
    """Hosts that failed, the first few with a reason."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}

    def take(self, event: dict[str, Any]) -> bool:
        """Look at an event of ansible-runner. False: do not keep it on disk."""
        data = event.get("event_data", {})
        if event.get("event") in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            result = data.get("res") or {}
            reason = " ".join(str(result.get("msg") or "failed").split())[:MAX_TEXT]
            self.hosts.setdefault(str(data.get("host"))[:MAX_TEXT], reason)
        return False

    def message(self) -> str:
        """All of it in one sentence."""
        shown = [f"{host}: {reason}" for host, reason in list(self.hosts.items())[:MAX_FAILURES]]
        more = len(self.hosts) - len(shown)
        return "; ".join([*shown, *([f"and {more} more"] if more else [])])


def main() -> int:
    """Run the job; the exit code says nothing, the answer does."""
    from ansible_runner.interface import run

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    private = Path(sys.argv[1])
    job = json.loads((private / "job.json").read_bytes())
    hosts = json.loads((private / "inventory" / "hosts.json").read_bytes())["all"]["hosts"]
    over = threading.Event()
    threading.Thread(target=_watch, args=(over,), daemon=True).start()
    failures = Failures()
    settings = {
        "job_timeout": job["job_timeout"],
        "idle_timeout": job["idle_timeout"],
        "suppress_ansible_output": True,
        "suppress_output_file": True,
        "suppress_env_files": True,
    }
    done = run(
        private_data_dir=str(private),
        playbook=job["playbook"],
        settings=settings,
        quiet=True,
        event_handler=failures.take,
        cancel_callback=over.is_set,
    )
    end_descendants(GONE_S)
    ok = done.status == "successful" and bool(hosts)
    message = failures.message() or {"timeout": "the playbook took too long", "canceled": "cancelled"}.get(
        done.status, f"{len(hosts)} nodes verified" if ok else f"the playbook ended as {done.status}"
    )
    sys.stdout.write(json.dumps({"ok": ok, "message": message}))
    return 0


def end_descendants(limit_s: float) -> None:
    """Kill and reap every process below this one; those of a killed parent come to us, so look until none is left."""
    end = time.monotonic() + limit_s
    while (pids := _children(os.getpid())) and time.monotonic() < end:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


def _children(parent: int) -> list[int]:
    """Processes whose parent is ``parent``, zombies included."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def _watch(over: threading.Event) -> None:
    """Nothing is ever written to our standard input: its end means that nobody waits for us any more."""
    while sys.stdin.buffer.read(1):
        pass
    over.set()


if __name__ == "__main__":
    sys.exit(main())
