"""The state directory: who this node is and what it got when it joined. One directory, one node.

``node.json`` and ``node.key`` exist from the first start; ``node.crt``, ``ca.crt`` and, last of all, ``colony.json``
appear when the colony took the node in. An eligible node has ``council.crt`` and ``council-ca.crt`` as well: what it
shows to etcd, for the same key, and what it believes there. ``colony.json`` is the commit mark: without it the node has
not joined and whatever else lies there is completed by the next join; with it everything must be there and fit
together.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
from pathlib import Path
from typing import TypeVar

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.ids import ULID, ulid
from aware_agent.security.files import (
    PUBLIC_MODE,
    DiskFull,
    StateCorrupted,
    StateUnusable,
    make_directory,
    only_one,
    read_public,
    read_secret,
    write_atomic,
)
from aware_agent.security.keyring import Keyring
from aware_agent.security.records import CouncilAccess

__all__ = ["DiskFull", "Identity", "Membership", "NodeState", "StateCorrupted", "StateDir", "StateUnusable"]

_REPAIR = "restore it from a backup, or move the state directory away and join again"
# Room for certificate, CA bundle and colony.json, taken before a join token is spent.
_RESERVED_BYTES = 64 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # of the kernel, the same in all its containers
T = TypeVar("T")


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this node is; chosen once and kept over renames of the host and changes of address."""

    id: str  # ULID
    name: str


class Membership(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the colony gave this node when it joined, or when it renewed its certificate."""

    colony: str
    secret: bytes  # colony secret of ``generation``; of a node that may never reign only its beacon key
    etcd: tuple[str, ...] = ()  # endpoints host:port; none for a worker
    channels: tuple[str, ...] = ()  # where council members took channels then, host:port
    joined_at: float  # Unix seconds on the queen's clock; seniority in election
    generation: int = 1  # of the secret, see colony.rotation
    others: dict[int, bytes] = {}  # the secret in other generations that are believed as well
    signed_by: int = 1  # generation of the CA that signed the certificate
    issued_at: float = 0.0  # when the queen did, Unix seconds on her clock; 0: made when the colony was founded
    whole: bool = True  # whether the secret is given as such: the node may reign
    addresses: tuple[str, ...] = ()  # in the certificate

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Membership(colony={self.colony!r}, etcd={self.etcd!r}, joined_at={self.joined_at!r})"

    def keyring(self) -> Keyring:
        """The secrets as the running node holds them."""
        return Keyring(self.generation, {**self.others, self.generation: self.secret}, whole=self.whole)


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a member needs to start, checked to fit together."""

    identity: Identity
    membership: Membership
    key: bytes  # PEM
    certificate: bytes  # PEM
    ca: bytes  # PEM bundle
    council: CouncilAccess | None = None  # None: a worker, which etcd does not let in

    def __repr__(self) -> str:
        """Without key and secret."""
        return f"NodeState({self.identity!r}, {self.membership!r})"


class StateDir:
    """Reads and writes one state directory. Errors: StateCorrupted, StateUnusable (both exit 11), DiskFull (18)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity_path = path / "node.json"
        self.key_path = path / "node.key"
        self.certificate_path = path / "node.crt"
        self.ca_path = path / "ca.crt"
        self.council_certificate_path = path / "council.crt"
        self.council_ca_path = path / "council-ca.crt"
        self.membership_path = path / "colony.json"
        self.council_path = path / "council.json"
        self.peers_path = path / "peers.json"
        self._reserve_path = path / ".reserve"
        self._removed_path = path / "removed"

    def prepare(self) -> None:
        """Create the directory, or make sure it is ours and closed to others."""
        make_directory(self.path)

    def hold(self) -> contextlib.AbstractContextManager[None]:
        """Lock the directory for the life of one agent: two agents with one identity would fight each other."""
        return only_one(self.path / ".lock", "agent")

    def home(self) -> str:
        """What tells this directory, on this host since its last boot, from every copy of it; empty if nothing does.

        Who holds the lock here knows that no other process lives in the same home, whatever a copied disk says.
        """
        try:
            lock = (self.path / ".lock").stat()
            boot = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            return ""
        return hashlib.sha256(f"aware-home/1 {boot} {lock.st_dev} {lock.st_ino}".encode()).hexdigest()[:32]

    def ensure_identity(self, name: str, *, now: float, randomness: bytes | None = None) -> Identity:
        """The kept identity, or a new one named ``name``.

        A kept identity of another name is renamed while the node has not joined; afterwards the certificate
        carries the name, so a new name is refused with :class:`InvalidInput`.
        """
        kept = self.load_identity()
        if kept and kept.name == name:
            return kept
        if kept and self.membership_path.exists():
            raise InvalidInput(
                f"this node joined as {kept.name!r}, but its settings call it {name!r}",
                field="name",
                hint=f"set the name back, or move {self.path} away and join again",
            )
        if kept is None and self.membership_path.exists():
            raise StateCorrupted(f"{self.identity_path} is missing although this node has joined", hint=_REPAIR)
        identity = Identity(id=kept.id if kept else ulid(now, randomness or os.urandom(10)), name=name)
        write_atomic(self.identity_path, msgspec.json.encode(identity))
        return identity

    def load_identity(self) -> Identity | None:
        """The kept identity; None before the first start."""
        raw = read_public(self.identity_path)
        if raw is None:
            return None
        identity = self._decode(self.identity_path, raw, Identity)
        if not ULID.fullmatch(identity.id) or not identity.name:
            raise StateCorrupted(f"{self.identity_path} has no valid node id and name", hint=_REPAIR)
        return identity

    def load_key(self) -> bytes | None:
        """The private key as PEM; None before the first join."""
        return read_secret(self.key_path)

    def save_key(self, key: bytes) -> None:
        """Keep the private key, before anybody is told its public half."""
        write_atomic(self.key_path, key)

    def load(self) -> NodeState | None:
        """What a member starts with; None when this node has not joined yet."""
        raw = read_secret(self.membership_path)
        if raw is None:
            return None
        membership = self._decode(self.membership_path, raw, Membership)
        if not membership.colony or len(membership.secret) < 16 or (membership.whole and not membership.etcd):
            raise StateCorrupted(f"{self.membership_path} is incomplete", hint=_REPAIR)
        identity = self.load_identity()
        state = NodeState(
            identity=self._required(self.identity_path, identity),
            membership=membership,
            key=self._required(self.key_path, self.load_key()),
            certificate=self._required(self.certificate_path, read_public(self.certificate_path)),
            ca=self._required(self.ca_path, read_public(self.ca_path)),
            council=self._load_council() if membership.whole else None,
        )
        self._check_tls(self.ca_path, self.certificate_path)
        if membership.whole:
            self._check_tls(self.council_ca_path, self.council_certificate_path)
        return state

    def reserve(self) -> None:
        """Take the room a join needs now, so that a full disk is found before a join token is spent."""
        write_atomic(self._reserve_path, b"\0" * _RESERVED_BYTES)

    def release(self) -> None:
        """Give back what :meth:`reserve` took."""
        with contextlib.suppress(FileNotFoundError):
            self._reserve_path.unlink()

    def save(
        self, membership: Membership, *, certificate: bytes, ca: bytes, council: CouncilAccess | None = None
    ) -> None:
        """Commit a join: certificates and CAs first, ``colony.json`` last. ``council``: of an eligible node."""
        self.release()
        if council is not None:
            write_atomic(self.council_ca_path, council.ca, PUBLIC_MODE)
            write_atomic(self.council_certificate_path, council.certificate, PUBLIC_MODE)
        write_atomic(self.ca_path, ca, PUBLIC_MODE)
        write_atomic(self.certificate_path, certificate, PUBLIC_MODE)
        self.save_membership(membership)

    def save_membership(self, membership: Membership) -> None:
        """Replace ``colony.json`` alone."""
        write_atomic(self.membership_path, msgspec.json.encode(membership))

    def mark_removed(self) -> None:
        """Note that the colony removed this node: its key lets it in nowhere any more."""
        write_atomic(self._removed_path, b"")

    def forget_membership(self) -> bool:
        """Make the next start join again. Returns whether there was a membership.

        It is the same node, with the same id and key; only one that was removed becomes another, because the colony
        denies its key. What is put away is kept beside, as ``.old``.
        """
        gone = [self.membership_path]
        if removed := self._removed_path.exists():
            gone += [self.identity_path, self.key_path]
        there = [path for path in gone if path.exists()]
        for path in there:
            os.replace(path, path.with_name(f"{path.name}.old"))
        if removed:
            self._removed_path.unlink()
        return bool(there)

    def _load_council(self) -> CouncilAccess:
        certificate, ca = self.council_certificate_path, self.council_ca_path
        return CouncilAccess(
            certificate=self._required(certificate, read_public(certificate)), ca=self._required(ca, read_public(ca))
        )

    def _check_tls(self, ca: Path, certificate: Path) -> None:
        """Let OpenSSL judge the PEM files: readable, and key and certificate a pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_verify_locations(ca)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise StateCorrupted(f"{ca} is not a CA certificate", hint=_REPAIR) from error
        try:
            # The empty password keeps OpenSSL from asking at the terminal for a key it believes encrypted.
            context.load_cert_chain(certificate, self.key_path, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise StateCorrupted(f"{self.key_path} and {certificate} are damaged or no pair", hint=_REPAIR) from error

    def _required(self, path: Path, value: T | None) -> T:
        if value is None:
            raise StateCorrupted(f"{path} is missing although this node has joined", hint=_REPAIR)
        return value

    def _decode(self, path: Path, raw: bytes, kind: type[T]) -> T:
        try:
            return from_json(raw, kind)
        except UNDECODABLE as error:
            raise StateCorrupted(f"{path} is damaged: {error}", hint=_REPAIR) from error
