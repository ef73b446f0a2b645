"""The backup file, format 1; ``docs/backup.md`` describes it for everybody else.

::

    AWARE-BACKUP 1\\n
    {"colony": ...}      header, one line of JSON, padded with blanks, ends with \\n
    chunk chunk ...      each at most CHUNK bytes of content and a 16-byte tag

The key comes of the backup key file by scrypt with the header's salt. A chunk is sealed with AES-256-GCM under the
nonce ``prefix (7 bytes) || number (4) || last (1)``, so chunks can be neither changed, dropped, moved nor cut off. The
header carries the SHA-256 of all chunks, which anybody can check, and a MAC under the key, which nobody can forge.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import msgspec

from aware_agent import __version__
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.security.derive import derive

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"AWARE-BACKUP 1\n"
FORMAT = 1
CHUNK = 1 << 20
TAG = 16
MAX_HEADER = 4 << 20
LEAST_KEY = 20  # characters of the key file
_N, _R, _P = 1 << 15, 8, 1  # scrypt: 32 MiB, about 0.1 s
_SALT, _PREFIX = 16, 7


class BackupDamaged(AwareError):
    """The file is no backup, is cut off, or was changed."""

    code = "backup-damaged"
    exit_code = 11
    status = 500


class WrongKey(AwareError):
    """The backup key is not the one this file was written with."""

    code = "backup-wrong-key"
    exit_code = 12
    status = 500


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may read of a backup. The last five fields belong to the encryption."""

    format: int
    colony: str
    created_at: float  # Unix seconds
    revision: int  # it holds at least everything up to here
    term: int
    version: str  # of AWARE
    etcd: str  # version of etcd
    nodes: tuple[str, ...]
    bytes: int  # of all chunks
    sha256: str  # of all chunks
    salt: str
    prefix: str
    scrypt: tuple[int, int, int]
    chunk: int
    mac: str = ""
    audit: str = ""  # SEQ:HASH of the audit log's newest line when the backup began: its snapshot holds that line


def draft_header(colony: str, began: float, *, term: int, nodes: tuple[str, ...], audit: str = "") -> Header:
    """A header without figures."""
    return Header(
        format=FORMAT,
        colony=colony,
        created_at=began,
        revision=0,
        term=term,
        version=__version__,
        etcd="",
        nodes=nodes,
        bytes=0,
        sha256="",
        salt="",
        prefix="",
        scrypt=(0, 0, 0),
        chunk=0,
        audit=audit,
    )


class Key:
    """The key of one file. ``repr`` does not show it."""

    def __init__(self, passphrase: str, salt: bytes, scrypt: tuple[int, int, int] = (_N, _R, _P)) -> None:
        n, r, p = scrypt
        secret = hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 << 20, dklen=32)
        self._content = derive(secret, "backup-content")
        self._header = derive(secret, "backup-header")

    def __repr__(self) -> str:
        """Without it."""
        return "Key()"

    def cipher(self) -> AESGCM:
        """Seals and opens chunks."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._content)

    def mac(self, header: Header) -> str:
        """Of everything in ``header`` but the MAC itself."""
        return hmac.digest(self._header, msgspec.json.encode(msgspec.structs.replace(header, mac="")), "sha256").hex()


def check_passphrase(text: str) -> str:
    """The key file's text, if it is good for anything. Raises :class:`InvalidInput`."""
    if len(text) < LEAST_KEY:
        raise InvalidInput(
            f"the backup key has less than {LEAST_KEY} characters", hint="make a good one: aware backup key FILE"
        )
    return text


class Writer:
    """Writes one backup into ``file`` (seekable, empty). Feed it with :meth:`write`, end with :meth:`finish`."""

    def __init__(self, file: IO[bytes], passphrase: str, draft: Header) -> None:
        """``draft``: a header whose figures are not known yet; room for them is kept."""
        salt, prefix = os.urandom(_SALT), os.urandom(_PREFIX)
        self._file = file
        self._key = Key(check_passphrase(passphrase), salt)
        self._cipher = self._key.cipher()
        self._prefix = prefix
        self._draft = msgspec.structs.replace(
            draft, salt=salt.hex(), prefix=prefix.hex(), scrypt=(_N, _R, _P), chunk=CHUNK
        )
        widest = msgspec.structs.replace(self._draft, bytes=10**18, revision=10**18, sha256="0" * 64, mac="0" * 64)
        self._room = len(msgspec.json.encode(widest)) + len(draft.etcd) + 64
        self._file.write(MAGIC + b" " * self._room + b"\n")
        self._held = bytearray()
        self._sha = hashlib.sha256()
        self._number = self._bytes = 0

    def write(self, data: bytes) -> None:
        """More content."""
        self._held += data
        while len(self._held) > CHUNK:
            self._put(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]

    def finish(self, *, revision: int, etcd: str) -> Header:
        """The last chunk, the header, and everything on the disk."""
        self._put(bytes(self._held), last=True)
        header = msgspec.structs.replace(
            self._draft, revision=revision, etcd=etcd, bytes=self._bytes, sha256=self._sha.hexdigest()
        )
        header = msgspec.structs.replace(header, mac=self._key.mac(header))
        line = msgspec.json.encode(header)
        self._file.seek(len(MAGIC))
        self._file.write(line.ljust(self._room) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return header

    def _put(self, content: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._number, last=last), content, None)
        self._sha.update(sealed)
        self._file.write(sealed)
        self._number += 1
        self._bytes += len(sealed)


def read_header(file: IO[bytes]) -> Header:
    """The header of ``file``, which stands at its first chunk afterwards. Raises :class:`BackupDamaged`."""
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        if magic.startswith(b"AWARE-BACKUP "):
            raise BackupDamaged("this backup has a newer format", hint="use the version of aware that wrote it")
        raise BackupDamaged("this is not a backup of AWARE")
    line = file.readline(MAX_HEADER)
    try:
        header = from_json(line, Header)
    except UNDECODABLE as error:
        raise BackupDamaged("the backup's header is damaged", hint="use another copy") from error
    if header.format != FORMAT or not 0 < header.chunk <= 64 << 20 or header.scrypt[0] > 1 << 20:
        raise BackupDamaged("the backup's header is damaged", hint="use another copy")
    return header


def check_sum(file: IO[bytes], header: Header) -> None:
    """Raise :class:`BackupDamaged` unless the chunks after the header are whole. Needs no key; reads everything."""
    sha, size = hashlib.sha256(), 0
    while data := file.read(CHUNK):
        sha.update(data)
        size += len(data)
    if size != header.bytes:
        raise BackupDamaged(f"the backup has {size} bytes of {header.bytes}", hint="it was cut off: use another copy")
    if sha.hexdigest() != header.sha256:
        raise BackupDamaged("the backup's content was damaged", hint="use another copy")


def content(file: IO[bytes], header: Header, passphrase: str) -> Iterator[bytes]:
    """The content in pieces; ``file`` stands at the first chunk. Raises WrongKey at once, BackupDamaged later.

    Nothing that came out may be used before the last piece did: only then it is known that nothing was cut off.
    """
    from cryptography.exceptions import InvalidTag

    try:
        salt, prefix = bytes.fromhex(header.salt), bytes.fromhex(header.prefix)
        key = Key(passphrase, salt, header.scrypt)
    except ValueError as error:
        raise BackupDamaged("the backup's header is damaged", hint="use another copy") from error
    if not hmac.compare_digest(key.mac(header), header.mac):
        raise WrongKey(
            f"the key does not open this backup of colony {header.colony!r}",
            hint="it was written with another backup key, or its header was changed",
        )
    cipher, number = key.cipher(), 0
    sealed = file.read(header.chunk + TAG)
    while sealed:
        following = file.read(header.chunk + TAG)
        try:
            yield cipher.decrypt(_nonce(prefix, number, last=not following), sealed, None)
        except InvalidTag as error:
            raise BackupDamaged(f"chunk {number} of the backup was changed", hint="use another copy") from error
        sealed, number = following, number + 1
    if not number:
        raise BackupDamaged("the backup is empty", hint="use another copy")


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def readable(header: Header) -> dict[str, Any]:
    """The header without what belongs to the encryption."""
    names = ("format", "colony", "created_at", "revision", "term", "version", "etcd", "nodes", "bytes", "sha256")
    return {name: getattr(header, name) for name in names}
