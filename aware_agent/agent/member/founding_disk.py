"""What a founder keeps on disk: which founders it confirmed, and whether it has founded. Never taken back."""

from __future__ import annotations

from pathlib import Path

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict
from aware_agent.colony.founders import Founders
from aware_agent.security.files import StateCorrupted, read_secret, write_atomic


class FoundingRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of ``founding.json``."""

    key_id: str
    size: int
    confirmed: Founders = ()
    made: bool = False


class FoundingDisk:
    """``founding.json`` in the state directory, for the founding key ``key_id`` and a council of ``size``."""

    def __init__(self, state_dir: Path, key_id: str, size: int) -> None:
        self.path = state_dir / "founding.json"
        self._blank = FoundingRecord(key_id=key_id, size=size)

    def load(self) -> FoundingRecord:
        """What an earlier life left.

        Raises Conflict when that was with another founding key or another size: who confirmed founders stays with
        them. Raises StateCorrupted.
        """
        kept = load_founding(self.path)
        if kept is None or not kept.confirmed:
            return self._blank
        if kept.key_id != self._blank.key_id:
            raise Conflict(
                f"this node has confirmed founders with founding key {kept.key_id}, and its key now is "
                f"{self._blank.key_id}",
                hint=f"give it the old key again; or, if that founding was given up, remove {self.path}",
            )
        if kept.size != self._blank.size:
            raise Conflict(
                f"this node has confirmed {kept.size} founders, and council.size is {self._blank.size} now",
                hint="set council.size back",
            )
        return kept

    def confirm(self, founders: Founders) -> None:
        """Bind this node. Raises Conflict for a second set: two colonies could come of it."""
        kept = self.load()
        if kept.confirmed and kept.confirmed != founders:
            raise Conflict("this node has confirmed other founders before")
        self._write(msgspec.structs.replace(kept, confirmed=founders))

    def made(self) -> None:
        """This node has founded."""
        self._write(msgspec.structs.replace(self.load(), made=True))

    def _write(self, record: FoundingRecord) -> None:
        write_atomic(self.path, msgspec.json.encode(record))


def load_founding(path: Path) -> FoundingRecord | None:
    """The record in ``path``; None when there is none. Raises StateCorrupted."""
    raw = read_secret(path)
    if raw is None:
        return None
    try:
        return from_json(raw, FoundingRecord)
    except UNDECODABLE as error:
        raise StateCorrupted(
            f"{path} is damaged: {error}", hint="make a new founding key and remove the state of all founders"
        ) from error
