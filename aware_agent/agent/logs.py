"""Log lines: one JSON object a line, or text for people. Fields come with ``extra={"fields": {...}}``.

The JSON lines have the names of the Elastic Common Schema, https://www.elastic.co/docs/reference/ecs/ecs-field-reference,
so that shippers need no rules of ours; what it has no name for is under ``aware.``.

When stderr is systemd's journal, each line starts with its priority as sd-daemon(3) has it; the journal takes it off.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from aware_agent.agent.recent import RECENT
from aware_agent.tracing import trace_id

# syslog(3): error, warning, info
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
ECS_VERSION = "8.11.0"
_ECS_NAMES = {"request": "http.request.id", "trace": "trace.id", "source": "source.ip", "user": "user.name"}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_REQUEST: ContextVar[str] = ContextVar("request", default="")


@contextmanager
def of_request(request: str) -> Iterator[None]:
    """Every line this task logs inside has the request's id as field ``request``."""
    token = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    request, trace = _REQUEST.get(), trace_id()
    fields: dict[str, Any] = getattr(record, "fields", {})
    if request:
        fields = {**fields, "request": request}
    return {**fields, "trace": trace} if trace else fields


class JsonLines(logging.Formatter):
    """``{"@timestamp":..., "log.level":..., "message":..., "ecs.version":..., ...}``, in the order ECS loggers have."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "@timestamp": _stamp(record.created),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": ECS_VERSION,
            "service.name": "aware",
            "service.node.name": self._node,
            "log.logger": record.name.removeprefix("aware_agent."),
            "process.pid": record.process,
        }
        line.update((_ecs_name(name), value) for name, value in _fields(record).items())
        if record.exc_info:
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """``12:00:00.123 warning demo-1: message  key=value``."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it if there is one."""
        fields = "".join(f"  {key}={value}" for key, value in _fields(record).items())
        clock = _stamp(record.created)[11:23]
        line = f"{clock} {record.levelname.lower():7} {self._node}: {record.getMessage()}{fields}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class JournalLines(logging.Formatter):
    """The lines of another formatter, with the priority the journal keeps, so that ``journalctl -p warning`` works."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        priority = next((code for level, code in _PRIORITIES if record.levelno >= level), 7)
        return f"<{priority}>{self._inner.format(record)}"


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether a file descriptor is the stream to the journal that systemd opened for this service."""
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM", "") == f"{stat.st_dev}:{stat.st_ino}"


def _ecs_name(name: str) -> str:
    """A field's name in a line: ECS wants what is not its own under a name of ours."""
    return _ECS_NAMES.get(name, f"aware.{name}")


def _stamp(created: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created)) + f".{int(created % 1 * 1000):03d}Z"


def set_up_logs(node: str, level: str, style: str) -> None:
    """Send all log lines of the process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    lines = JsonLines(node) if style == "json" else TextLines(node)
    handler.setFormatter(JournalLines(lines) if is_journal(2, os.environ) else lines)
    RECENT.setFormatter(TextLines(node))
    logging.root.handlers[:] = [handler, RECENT]
    set_level(level)


def set_level(level: str) -> None:
    """Change how much is said; libraries stay at warning."""
    logging.root.setLevel(logging.WARNING)
    logging.getLogger("aware_agent").setLevel(_LEVELS[level])
