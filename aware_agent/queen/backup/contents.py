"""What is inside a backup: one document with what a snapshot alone cannot give back, then the snapshot itself.

::

    4 bytes      length of the document, big-endian
    document     JSON, see Contents
    snapshot     as etcd sent it, its SHA-256 last

The CAs' private keys stay sealed with the colony secret, as it is in etcd. The secret is here too: without it fresh
hosts could neither open the CA nor be told the secret. So whoever holds the backup key holds the colony.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.queen.backup.format import BackupDamaged, Header, check_sum, content, read_header
from aware_agent.store.snapshot import SnapshotDamaged, SnapshotMeter

MAX_DOCUMENT = 16 << 20
_LENGTH = 4


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The document."""

    colony: str
    membership: bytes  # a member's colony.json: colony secret and etcd's addresses
    ca: bytes  # value of the key ``ca``: certificate and sealed private key
    ca_pem: str  # the CA bundle members trust
    council_ca: bytes  # value of the key ``council-ca``
    council_ca_pem: str  # the CA bundle that etcd and its clients trust
    spec: bytes  # value of the key ``spec``; empty: there was none

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Contents({self.colony!r})"


def prologue(contents: Contents) -> bytes:
    """What goes before the snapshot."""
    document = msgspec.json.encode(contents)
    return len(document).to_bytes(_LENGTH, "big") + document


def unpack(pieces: Iterator[bytes], sink: Callable[[bytes], object]) -> Contents:
    """Split the content: the snapshot goes to ``sink``, the document is returned when all of it proved whole.

    Raises :class:`BackupDamaged` and whatever ``pieces`` raises; what ``sink`` got is worthless then.
    """
    head = bytearray()
    wanted = _LENGTH
    meter = SnapshotMeter()
    for piece in pieces:
        if wanted == 0:
            meter.feed(piece)
            sink(piece)
            continue
        head += piece
        if len(head) >= _LENGTH:
            wanted = _LENGTH + _size(head)
            if len(head) >= wanted:
                rest = bytes(head[wanted:])
                del head[wanted:]
                wanted = 0
                meter.feed(rest)
                sink(rest)
    if wanted:
        raise BackupDamaged("the backup's document is cut off", hint="use another copy")
    try:
        meter.check()
        return from_json(bytes(head[_LENGTH:]), Contents)
    except SnapshotDamaged as error:
        raise BackupDamaged(f"in the backup: {error.message}", hint="use another copy") from error
    except UNDECODABLE as error:
        raise BackupDamaged(f"the backup's document is damaged: {error}", hint="use another copy") from error


def verify(path: Path, passphrase: str, sink: Callable[[bytes], object] = len) -> tuple[Header, Contents]:
    """Read all of a backup; its snapshot goes to ``sink``. Raises BackupDamaged, WrongKey."""
    with path.open("rb") as file:
        header = read_header(file)
        start = file.tell()
        check_sum(file, header)
        file.seek(start)
        contents = unpack(content(file, header, passphrase), sink)
    if contents.colony != header.colony:
        raise BackupDamaged("the backup's header and content are of different colonies")
    return header, contents


def _size(head: bytearray) -> int:
    size = int.from_bytes(head[:_LENGTH], "big")
    if not 0 < size <= MAX_DOCUMENT:
        raise BackupDamaged("the backup's document is damaged", hint="use another copy")
    return size
