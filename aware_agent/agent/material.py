"""What a colony is founded from, made offline: its CAs, its secret, etcd's certificates and the founder's state.

::

    material.json                  colony secret and the seed of the first join token
    ca.key         ca.crt          the node CA: everybody's identity
    council-ca.key council-ca.crt  the council CA: the only one that etcd believes
    etcd.key       etcd.crt        server and peer certificate of etcd, of the council CA
    founder.key    founder.crt     client certificate for founding, etcd user root, of the council CA

Every file is written whole, keys before their certificates. So a run that was killed is completed by the next one,
and a complete directory is left as it is; only certificates that ran out or lack an address are made anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from aware_agent.agent.state import Membership, NodeState, StateCorrupted, StateDir
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict
from aware_agent.colony.names import Kind, check_name
from aware_agent.security import pki
from aware_agent.security.files import PUBLIC_MODE, make_directory, only_one, read_public, read_secret, write_atomic
from aware_agent.security.records import CouncilAccess
from aware_agent.security.token import RANDOM_BYTES, JoinToken, make_token

SECRET_BYTES = 32
# etcd maps the common name of a client certificate to its user; only root may create users.
FOUNDER_USER = "root"
# Members know each other by this name, so that no node's certificate passes for a member's.
MEMBER_NAME = "etcd"
_RENEW_BEFORE_S = 30 * 86400.0
_REPAIR = "restore it from a backup; without it this colony cannot be founded again"


class Seed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Content of ``material.json``. All of it is secret."""

    colony: str
    secret: bytes
    token: bytes
    generation: int = 1  # of CA and secret, see colony.rotation

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Seed({self.colony!r}, generation={self.generation})"


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """The founding material of one colony, complete and checked."""

    colony: str
    directory: Path
    secret: bytes  # colony secret
    token: JoinToken  # the first join token
    ca: pki.Pair
    council_ca: pki.Pair
    etcd: pki.Pair
    founder: pki.Pair  # client certificate of etcd user root
    founder_id: str  # node id of the founder
    founder_name: str
    founder_pin: str  # fingerprint of the founder's node key
    founder_addresses: tuple[str, ...]  # who founds says where the founder is; it need not be seen there
    changed: tuple[Path, ...]  # files this run wrote; empty when everything was there

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Material({self.colony!r}, {str(self.directory)!r})"


def make_material(
    colony: str,
    directory: Path,
    *,
    etcd_addresses: Sequence[str],
    founder_name: str,
    founder_address: str,
    founder_state: Path,
    now: float,
    randomness: Callable[[int], bytes] = os.urandom,
) -> Material:
    """Make or complete the material in ``directory`` and the founder's state in ``founder_state``.

    ``etcd_addresses`` are ``host:port``. Raises Conflict when the directory belongs to another colony or founder,
    StateCorrupted or StateUnusable for a file that cannot be used, DiskFull.
    """
    check_name(Kind.NODE, founder_name, "founder_name")
    make_directory(directory)
    with only_one(directory / ".lock", "founding"):
        shelf = _Shelf(directory, now)
        seed = _ensure_seed(shelf, colony, randomness)
        ca, council_ca = shelf.ensure_ca(colony), shelf.ensure_council_ca(colony)
        hosts = dict.fromkeys([*(_host(address) for address in etcd_addresses), "127.0.0.1", "localhost"])
        etcd = shelf.ensure_leaf(council_ca, "etcd", MEMBER_NAME, list(hosts))
        founder = shelf.ensure_leaf(council_ca, "founder", FOUNDER_USER, [])
        membership = Membership(colony=colony, secret=seed.secret, etcd=tuple(etcd_addresses), joined_at=now)
        membership = msgspec.structs.replace(membership, generation=seed.generation, signed_by=seed.generation)
        state = _FounderState(StateDir(founder_state), shelf, ca, council_ca)
        addresses = (founder_address,)
        membership = msgspec.structs.replace(membership, addresses=addresses)
        sans = pki.node_sans(colony, founder_name, addresses, eligible=True)
        founder_id = state.ensure(founder_name, sans, membership, randomness)
    return Material(
        colony=colony,
        directory=directory,
        secret=seed.secret,
        token=make_token(pki.ca_pin(ca.certificate), seed.token),
        ca=ca,
        council_ca=council_ca,
        etcd=etcd,
        founder=founder,
        founder_id=founder_id,
        founder_name=founder_name,
        founder_pin=pki.key_pin(StateDir(founder_state).load_key() or b""),
        founder_addresses=addresses,
        changed=tuple(shelf.changed),
    )


class _Shelf:
    """The files of a material directory."""

    def __init__(self, directory: Path, now: float) -> None:
        self.directory = directory
        self.now = now
        self.changed: list[Path] = []

    def write(self, path: Path, data: bytes, *, public: bool = False) -> None:
        write_atomic(path, data, PUBLIC_MODE) if public else write_atomic(path, data)
        self.changed.append(path)

    def ensure_ca(self, colony: str) -> pki.Pair:
        """The CA; a certificate lost between key and certificate is made anew with the same key and pin."""
        return self._read_pair("ca") or self._make("ca", lambda key: pki.create_ca(colony, self.now, key=key))

    def ensure_council_ca(self, colony: str) -> pki.Pair:
        """The same for the council CA."""
        return self._read_pair("council-ca") or self._make(
            "council-ca", lambda key: pki.create_council_ca(colony, self.now, key=key)
        )

    def ensure_leaf(self, ca: pki.Pair, stem: str, common_name: str, sans: list[str]) -> pki.Pair:
        """A pair signed by ``ca`` that is valid for a while and names all of ``sans``."""
        pair = self._read_pair(stem)
        if pair and self.still_good(pair.certificate, ca, sans):
            return pair
        return self._make(stem, lambda key: pki.issue(ca, key, common_name=common_name, sans=sans, now=self.now))

    def still_good(self, certificate: bytes, ca: pki.Pair, sans: Sequence[str]) -> bool:
        """Whether ``certificate`` names all of ``sans`` and neither ran out nor will soon."""
        facts = pki.facts(certificate)
        limit = min(self.now + _RENEW_BEFORE_S, pki.facts(ca.certificate).not_after)
        return pki.is_issued_by(certificate, ca.certificate) and facts.sans >= set(sans) and facts.not_after >= limit

    def _make(self, stem: str, make: Callable[[bytes], pki.Pair]) -> pki.Pair:
        key_path = self.directory / f"{stem}.key"
        key = read_secret(key_path)
        if key is None:
            key = pki.make_key()
            self.write(key_path, key)
        try:
            pair = make(key)
        except ValueError as error:
            raise StateCorrupted(f"{key_path} is damaged", hint=_REPAIR) from error
        self.write(self.directory / f"{stem}.crt", pair.certificate, public=True)
        return pair

    def _read_pair(self, stem: str) -> pki.Pair | None:
        """A complete pair; None when its certificate was not made yet."""
        key_path, certificate_path = self.directory / f"{stem}.key", self.directory / f"{stem}.crt"
        certificate = read_public(certificate_path)
        if certificate is None:
            return None
        key = read_secret(key_path)
        if key is None:
            raise StateCorrupted(f"{key_path} is missing beside {certificate_path.name}", hint=_REPAIR)
        if not pki.is_pair(certificate, key):
            raise StateCorrupted(f"{key_path} and {certificate_path.name} are damaged or no pair", hint=_REPAIR)
        return pki.Pair(certificate, key)


class _FounderState:
    """The founder's state directory, as if it had joined."""

    def __init__(self, state: StateDir, shelf: _Shelf, ca: pki.Pair, council_ca: pki.Pair) -> None:
        self.state = state
        self.shelf = shelf
        self.ca = ca
        self.council_ca = council_ca

    def ensure(self, name: str, sans: list[str], wanted: Membership, randomness: Callable[[int], bytes]) -> str:
        """Make or refresh it; returns the node id."""
        state = self.state
        state.prepare()
        kept = state.load()
        if kept and not _same_colony(kept.membership, wanted):
            raise Conflict(f"{state.path} belongs to a node of another colony", hint="choose another directory")
        identity = state.ensure_identity(name, now=self.shelf.now, randomness=randomness(10))
        if kept and kept.membership.issued_at and self._lives(kept, wanted.addresses):
            self._keep(kept, wanted.etcd)
            return identity.id
        if kept:
            wanted = msgspec.structs.replace(wanted, joined_at=kept.membership.joined_at)
            if self._fits(kept, sans) and kept.membership == wanted:
                return identity.id
        key = state.load_key() or self._make_key()
        try:
            pair, shown_to_etcd = (
                pki.issue(ca, key, common_name=identity.id, sans=sans, now=self.shelf.now)
                for ca in (self.ca, self.council_ca)
            )
        except ValueError as error:
            raise StateCorrupted(
                f"{state.key_path} is damaged", hint="move the directory away and start again"
            ) from error
        council = CouncilAccess(certificate=shown_to_etcd.certificate, ca=self.council_ca.certificate)
        state.save(wanted, certificate=pair.certificate, ca=self.ca.certificate, council=council)
        self.shelf.changed.append(state.membership_path)
        return identity.id

    def _fits(self, kept: NodeState, sans: Sequence[str]) -> bool:
        """Whether both certificates are good, and of the CAs of this material."""
        council = kept.council
        return (
            kept.ca == self.ca.certificate
            and self.shelf.still_good(kept.certificate, self.ca, sans)
            and council is not None
            and council.ca == self.council_ca.certificate
            and self.shelf.still_good(council.certificate, self.council_ca, sans)
        )

    def _lives(self, kept: NodeState, addresses: tuple[str, ...]) -> bool:
        """Whether the colony still looks after this node's certificate; a useless one is made anew if we can."""
        if not set(addresses) <= set(kept.membership.addresses):
            return not pki.is_issued_by(kept.certificate, self.ca.certificate)
        return pki.facts(kept.certificate).not_after > self.shelf.now or not pki.is_issued_by(
            kept.certificate, self.ca.certificate
        )

    def _keep(self, kept: NodeState, etcd: tuple[str, ...]) -> None:
        """Since a queen renewed it, certificate and secrets are the colony's business; only where etcd is, is ours."""
        if kept.membership.etcd != etcd:
            self.state.save_membership(msgspec.structs.replace(kept.membership, etcd=etcd))
            self.shelf.changed.append(self.state.membership_path)

    def _make_key(self) -> bytes:
        key = pki.make_key()
        self.state.save_key(key)
        return key


def _same_colony(kept: Membership, wanted: Membership) -> bool:
    """By its secret; a colony that rotated its own has another by now, here or there."""
    rotated = max(kept.generation, wanted.generation) > 1
    return kept.colony == wanted.colony and (kept.secret == wanted.secret or rotated)


def _ensure_seed(shelf: _Shelf, colony: str, randomness: Callable[[int], bytes]) -> Seed:
    path = shelf.directory / "material.json"
    raw = read_secret(path)
    if raw is None:
        if (shelf.directory / "ca.crt").exists():
            raise StateCorrupted(f"{path} is missing beside ca.crt", hint=_REPAIR)
        seed = Seed(colony=colony, secret=randomness(SECRET_BYTES), token=randomness(RANDOM_BYTES))
        shelf.write(path, msgspec.json.encode(seed))
        return seed
    try:
        seed = from_json(raw, Seed)
    except UNDECODABLE as error:
        raise StateCorrupted(f"{path} is damaged", hint=_REPAIR) from error
    if len(seed.secret) != SECRET_BYTES or len(seed.token) != RANDOM_BYTES:
        raise StateCorrupted(f"{path} is incomplete", hint=_REPAIR)
    if seed.colony != colony:
        raise Conflict(
            f"{shelf.directory} holds the material of colony {seed.colony!r}, not {colony!r}",
            hint="choose another directory",
        )
    return seed


def _host(address: str) -> str:
    """Host of ``host:port``, ``[v6]:port`` or a URL."""
    bare = address.rpartition("://")[2]
    host, separator, _ = bare.rpartition(":")
    return (host if separator else bare).strip("[]")
