"""Sealed values: AES-256-GCM envelopes, so that what lies in etcd or its backups tells nothing.

``{"v":1,"kid":"<key id>","n":"<nonce>","c":"<ciphertext and tag>"}``. The etcd key of a value is bound in as
context: a sealed value copied to another key does not open. Needs ``cryptography``: queen and founder only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.security.derive import derive
from aware_agent.security.keyring import Keyring

NONCE_BYTES = 12
_KEY_BYTES = 32


class SealBroken(AwareError):
    """A sealed value does not open: another key, another place, or it was changed."""

    code = "seal-broken"
    exit_code = 11
    status = 500


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: int
    kid: str
    n: bytes
    c: bytes


class Sealer:
    """Seals with the current key, opens with any it knows (so keys can be rotated)."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise ValueError("a sealer needs 32-byte keys and the id of one of them")
        self._keys = dict(keys)
        self._current = current

    def __repr__(self) -> str:
        """Without keys."""
        return f"Sealer(current={self._current!r})"

    def seal(self, plaintext: bytes, context: bytes, *, nonce: bytes | None = None) -> bytes:
        """Seal ``plaintext`` for the place ``context``. ``nonce`` (12 bytes, never twice) is for tests only."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(NONCE_BYTES) if nonce is None else nonce
        ciphertext = AESGCM(self._keys[self._current]).encrypt(nonce, plaintext, _bound(self._current, context))
        return msgspec.json.encode(_Envelope(v=1, kid=self._current, n=nonce, c=ciphertext))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plaintext. Raises :class:`SealBroken`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            envelope = from_json(sealed, _Envelope)
        except UNDECODABLE as error:
            raise SealBroken("a sealed value is damaged") from error
        key = self._keys.get(envelope.kid)
        if envelope.v != 1 or key is None:
            raise SealBroken(
                f"a value is sealed with key {envelope.kid[:16]!r}, which this node does not have",
                hint="its colony secret is not the colony's",
            )
        try:
            return AESGCM(key).decrypt(envelope.n, envelope.c, _bound(envelope.kid, context))
        except (InvalidTag, ValueError) as error:
            raise SealBroken("a sealed value was changed or moved") from error


def colony_sealer(secret: bytes, *others: bytes) -> Sealer:
    """The sealer of a colony: seals with the key of ``secret``, opens what was sealed with the ``others``' as well."""
    keys = {seal_key_id(each): derive(each, "seal-key") for each in (secret, *others)}
    return Sealer(keys, seal_key_id(secret))


def seal_key_id(secret: bytes) -> str:
    """Key id of values sealed with the key of ``secret``: a fingerprint, so that a rotated secret has another one."""
    return derive(secret, "seal-key-id", 4).hex()


def sealed_with(sealed: bytes) -> str:
    """Id of the key a value is sealed with; empty when it is none of ours."""
    try:
        return from_json(sealed, _Envelope).kid
    except UNDECODABLE:
        return ""


class KeyringSealer(Sealer):
    """A sealer that follows a keyring: through a rotation it always seals with the present secret."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._seen: tuple[bytes, ...] = ()
        self._follow()

    def seal(self, plaintext: bytes, context: bytes, *, nonce: bytes | None = None) -> bytes:
        """See :meth:`Sealer.seal`."""
        self._follow()
        return super().seal(plaintext, context, nonce=nonce)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """See :meth:`Sealer.open`."""
        self._follow()
        return super().open(sealed, context)

    def _follow(self) -> None:
        secrets = self._keyring.secrets
        if secrets is not self._seen:
            self._seen = secrets
            super().__init__({seal_key_id(each): derive(each, "seal-key") for each in secrets}, seal_key_id(secrets[0]))


def _bound(key_id: str, context: bytes) -> bytes:
    return b"aware-seal/1\0" + key_id.encode() + b"\0" + context
