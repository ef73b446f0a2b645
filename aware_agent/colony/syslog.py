"""Audit lines as syslog has them: messages of RFC 5424, framed as RFC 5425 wants them over TLS. Pure.

A message is the line's JSON as ``aware audit export`` writes it, so that what a receiver keeps of it is a log that
``aware audit verify`` checks. It is ASCII alone, other characters are escaped: then no byte order mark is needed, which
some receivers take for a part of the message.
"""

from __future__ import annotations

import datetime
import json

import msgspec

from aware_agent.colony.audit import DROPPED, NOTHING, TAMPERED, AuditLine, Hash, Head, Result
from aware_agent.colony.decoding import Count

SENT = "audit-sent"  # where how far it is stands
SYSLOG = "syslog/audit"  # its breaker's name
OFF = "off"  # in settings: whoever was told is told no more
PORT = 6514  # of syslog over TLS
_FACILITY = 13  # log audit
_ALERT, _WARNING, _NOTICE = 1, 4, 5
_LONGEST_ID = 2**31 - 1  # RFC 5424, 7.3.1: then it begins again
_MOST_ID = 32


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``audit-sent``: how far the receiver has the log."""

    target: str  # host:port
    term: Count
    seq: Count = 0
    hash: Hash = NOTHING
    missed: Count = 0  # lines that were not in etcd any more when it was their turn

    @property
    def head(self) -> Head:
        """The last line it has."""
        return Head(seq=self.seq, hash=self.hash)


def message(line: AuditLine, host: str) -> bytes:
    """One message. ``host``: name of the node that sends it."""
    moment = datetime.datetime.fromtimestamp(line.time / 1000, datetime.UTC)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    action = "".join(sign for sign in line.action if "!" <= sign <= "~")[:_MOST_ID] or "-"
    number = (line.seq - 1) % _LONGEST_ID + 1
    head = f"<{_FACILITY * 8 + _severity(line)}>1 {stamp} {host} aware {line.term} {action}"
    said = json.dumps(msgspec.to_builtins(line), separators=(",", ":"), ensure_ascii=True)
    return f'{head} [meta sequenceId="{number}"] {said}'.encode("ascii")


def framed(text: bytes) -> bytes:
    """``text`` with its length before it."""
    return b"%d %s" % (len(text), text)


def _severity(line: AuditLine) -> int:
    if line.action == TAMPERED:
        return _ALERT
    return _WARNING if line.result is Result.REFUSED or line.action == DROPPED else _NOTICE
