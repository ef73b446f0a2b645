"""A playbook as ansible-runner tells of it: how far each host is, what was printed, and how it went in one sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from aware_agent.colony.errors import one_line
from aware_agent.colony.job_log import BoundedLog
from aware_agent.colony.jobs import MAX_HOSTS, HostProgress, JobState, Progress
from aware_agent.queen.jobs.protocol import Ended, Said

MAX_FAILURES = 5
MAX_TEXT = 120
_COUNTED = {
    "runner_on_ok": "ok",
    "runner_on_skipped": "skipped",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
}


class Play:
    """Gathers events. ``mask`` takes the secrets out of every text before it is kept."""

    def __init__(self, hosts: int, log_bytes: int, mask: Callable[[str], str]) -> None:
        self._lock = threading.Lock()  # events come in one thread, and are told of in another
        self._mask = mask
        self._log = BoundedLog(log_bytes)
        self._count = hosts
        self._hosts: dict[str, HostProgress] = {}
        self._others: set[str] = set()
        self._play = self._task = ""
        self._failures: dict[str, str] = {}
        self._told: Progress | None = None
        self.changed = 0

    def take(self, event: dict[str, Any]) -> bool:
        """Look at an event of ansible-runner. False: do not keep it on disk."""
        data = event.get("event_data") or {}
        kind = str(event.get("event"))
        with self._lock:
            for line in str(event.get("stdout") or "").splitlines():
                self._log.add(self._mask(line))
            if kind == "playbook_on_play_start":
                self._play, self._task = self._said(data.get("name")), ""
            elif kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
                self._task = self._said(data.get("name") or data.get("task"))
            elif kind == "runner_on_start":
                self._begins(self._said(data.get("host")))
            elif kind in _COUNTED:
                self._ended(kind, data)
        return False

    def print(self, line: str) -> None:
        """A line of ours in the log."""
        with self._lock:
            self._log.add(self._mask(line))

    def said(self, *, last: bool = False) -> Said | None:
        """What is new since the last time; None when nothing is."""
        with self._lock:
            text = self._log.take(last=last)
            progress = Progress(play=self._play, task=self._task, hosts=dict(self._hosts), more_hosts=len(self._others))
            if not text and progress == self._told:
                return None
            self._told = progress
            return Said(progress=progress, text=text, printed=self._log.printed, cut=self._log.cut)

    def outcome(self, status: str, code: int) -> Ended:
        """How it went; ``status`` and ``code`` are ansible-runner's."""
        if status == "successful":
            changed = f", {self.changed} tasks changed something" if self.changed else ""
            counted = "1 host" if self._count == 1 else f"{self._count} hosts"
            return Ended(state=JobState.SUCCEEDED, reason="", message=f"done on {counted}{changed}")
        if self._failures:
            shown = [f"{host}: {reason}" for host, reason in list(self._failures.items())[:MAX_FAILURES]]
            more = len(self._failures) - len(shown)
            message = "; ".join([*shown, *([f"and {more} more"] if more else [])])
            return Ended(state=JobState.FAILED, reason="hosts-failed", message=message)
        return Ended(
            state=JobState.FAILED,
            reason="playbook-failed",
            message=f"ansible-playbook ended with code {code} before it reached a host; the log says more",
        )

    def _begins(self, host: str) -> None:
        """A host is at the task of now, which may take long."""
        if self._is_kept(host):
            self._hosts[host] = msgspec.structs.replace(self._hosts.get(host, HostProgress()), task=self._task)

    def _ended(self, kind: str, data: dict[str, Any]) -> None:
        host, result = self._said(data.get("host")), data.get("res") or {}
        ignored = bool(data.get("ignore_errors"))
        field = "ok" if ignored and kind == "runner_on_failed" else _COUNTED[kind]
        changed = kind == "runner_on_ok" and result.get("changed") is True
        self.changed += changed
        if field in ("failed", "unreachable"):
            reason = one_line(self._mask(str(result.get("msg") or "failed")), 4 * MAX_TEXT)[:MAX_TEXT]
            self._failures.setdefault(host, reason)
        if not self._is_kept(host):
            return
        before = self._hosts.get(host, HostProgress())
        counts = {field: getattr(before, field) + 1, "changed": before.changed + changed, "task": self._task}
        self._hosts[host] = msgspec.structs.replace(before, **counts)

    def _is_kept(self, host: str) -> bool:
        """Whether its progress is told; of more hosts only their number."""
        if host not in self._hosts and len(self._hosts) >= MAX_HOSTS:
            self._others.add(host)
            return False
        return True

    def _said(self, text: object) -> str:
        return one_line(self._mask(str(text or "")))[:MAX_TEXT]
