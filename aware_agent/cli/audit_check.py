"""The work behind ``aware audit verify``: lines from files or the colony, heads noted earlier, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aware_agent.cli.errors import FileTrouble
from aware_agent.colony.audit import AuditLine, Head, parse_head
from aware_agent.colony.audit_check import Named, Verdict, check_chain
from aware_agent.colony.decoding import UNDECODABLE, from_json, from_plain
from aware_agent.colony.errors import AwareError, InvalidInput

MAX_LINE = 16 * 1024


class LogBroken(AwareError):
    """An audit log is not whole."""

    code = "audit-log-broken"
    exit_code = 28


class Judgement(NamedTuple):
    """What was found, and by how much it was checked."""

    verdict: Verdict
    anchors: int
    keys: int

    def sentences(self) -> Iterator[str]:
        """For a person."""
        found = self.verdict
        yield f"{found.lines} lines, {found.first} to {found.head.seq}" if found.lines else "there is no line"
        if found.set_aside:
            yield f"{found.set_aside} lines were set aside by a restore, which is itself a line"
        if self.keys:
            vouched = f", and vouch for {found.covered} of older keys" if found.covered else ""
            yield f"{found.sealed} seals are the colony's{vouched}"
        else:
            yield "seals were not checked: give --key"
        yield (
            f"{self.anchors} heads noted earlier were looked for"
            if self.anchors
            else ("whether the newest lines were cut off cannot be told without --head or --backup")
        )
        for fault in found.faults:
            yield f"WRONG: {fault.problem}"
        if found.more:
            yield f"and {found.more} more faults"

    def require_whole(self) -> None:
        """Raise :class:`LogBroken` when something is wrong."""
        found = self.verdict
        if not found.whole:
            count = len(found.faults) + found.more
            raise LogBroken(
                f"the audit log is not whole, {count} faults: {found.faults[0].problem}",
                hint="compare it with an archive or an export; see docs/audit.md",
            )


def judge(
    files: Sequence[Path],
    found: Iterable[dict[str, Any]] | None,
    *,
    heads: Sequence[str],
    backups: Sequence[Path],
    keys: Sequence[str],
) -> Judgement:
    """Check ``files`` in their order, or ``found``. Raises InvalidInput, FileTrouble, BackupDamaged."""
    anchors = [*map(_head, heads), *_of_backups(backups)]
    checker = None
    if keys:
        from aware_agent.security.audit import SealChecker

        try:
            checker = SealChecker(keys)
        except ValueError as error:
            raise InvalidInput(str(error), field="key") from None
    named = _of_files(files) if found is None else _of_colony(found)
    return Judgement(check_chain(named, sealed=checker, anchors=anchors), len(anchors), len(keys))


def _head(text: str) -> Head:
    try:
        return parse_head(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:80]!r} is no head: {error}", field="head") from None


def _of_backups(files: Sequence[Path]) -> Iterator[Head]:
    from aware_agent.queen.backup.format import read_header
    from aware_agent.security.regular import open_regular

    for file in files:
        try:
            with open_regular(file) as stream:
                noted = read_header(stream).audit
        except OSError as error:
            raise FileTrouble(f"cannot read backup {file}: {error.strerror}", field="backup") from error
        if noted:
            yield _head(noted)


def _of_files(files: Sequence[Path]) -> Iterator[Named]:
    from aware_agent.security.regular import open_regular

    for file in files:
        try:
            with open_regular(file) as stream:
                for number, raw in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), 1):
                    yield Named(_line(raw), f"{file.name} line {number}")
        except OSError as error:
            raise FileTrouble(f"cannot read {file}: {error.strerror}", field="file") from error


def _line(raw: bytes) -> AuditLine | None:
    try:
        return from_json(raw, AuditLine)
    except UNDECODABLE:
        return None


def _of_colony(found: Iterable[dict[str, Any]]) -> Iterator[Named]:
    for number, one in enumerate(found, 1):
        try:
            yield Named(from_plain(one, AuditLine), f"answer {number}")
        except (*UNDECODABLE, ValueError):
            yield Named(None, f"answer {number}")
