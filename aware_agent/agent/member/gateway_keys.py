"""The keys and certificates of this member's gateway: kept in the state directory, made anew with the node's own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from aware_agent.agent.certificate_fields import not_after
from aware_agent.agent.child import ask_child
from aware_agent.agent.member.gateway_pairs import GatewayPairs, PairsTask, secrets_mark
from aware_agent.agent.state import StateDir
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.security.files import read_public, read_secret, write_atomic
from aware_agent.security.keyring import Keyring, fingerprint
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue
from aware_agent.store.protocol import Store

log = logging.getLogger(__name__)

FILE = "gateway.keys"
CHILD_S = 60.0  # a starved machine takes its time to start an interpreter
RETRY_S = 0.5


class GatewayKeysFailed(AwareError):
    """The gateway's certificates could not be made; it is tried again."""

    code = "gateway-keys-failed"
    exit_code = 70


class GatewayKeys:
    """What the gateway is given to prove itself with. ``client`` reads the CA's record from etcd."""

    def __init__(
        self, state_dir: StateDir, node: str, keys: Keys, client: Store, keyring: Callable[[], Keyring]
    ) -> None:
        self._state_dir, self._node, self._keys, self._client, self._keyring = state_dir, node, keys, client, keyring
        self._path: Path = state_dir.path / FILE
        self._pairs = self._kept()
        self._making = asyncio.Lock()

    @property
    def pairs(self) -> GatewayPairs:
        """The present ones. Call :meth:`prepare` before."""
        if self._pairs is None:
            raise GatewayKeysFailed("the gateway has no certificates yet")
        return self._pairs

    @property
    def usable(self) -> bool:
        """Whether there are some that have not run out."""
        return self._pairs is not None and not_after(self._pairs.tls_certificate) > time.time()

    async def prepare(self) -> None:
        """Return when there are usable ones, however long etcd is away; those of an older certificate will do."""
        complaint = ""
        while not self.usable:
            try:
                await self.renew()
            except (AwareError, OSError) as error:
                level = logging.DEBUG if str(error) == complaint else logging.INFO
                log.log(level, "the gateway waits for its certificates: %s", error)
                complaint = str(error)
                await asyncio.sleep(RETRY_S)

    async def renew(self) -> bool:
        """Make new ones if the node's certificate is another one now; returns whether. Raises AwareError, OSError."""
        async with self._making:
            return await self._renew()

    async def _renew(self) -> bool:
        certificate = read_public(self._state_dir.certificate_path) or b""
        secrets = self._keyring().secrets
        known = self._pairs
        if known and (known.of, known.secrets_of) == (fingerprint(certificate), secrets_mark(secrets)):
            return False
        ca, council_ca = await self._record("ca"), await self._record("council-ca")
        pairs = await _certify(
            PairsTask(
                colony=self._keys.colony,
                node=self._node,
                certificate=certificate,
                ca_key=ca.key,
                ca_record=ca.value,
                council_ca_key=council_ca.key,
                council_ca_record=council_ca.value,
                secrets=secrets,
            )
        )
        write_atomic(self._path, msgspec.msgpack.encode(pairs))
        self._pairs = pairs
        return True

    async def _record(self, name: str) -> KeyValue:
        stored = await self._client.get(self._keys.key(name))
        if stored is None:
            raise GatewayKeysFailed("this colony has no CA", hint="found it: aware colony found")
        return stored

    def _kept(self) -> GatewayPairs | None:
        """What an earlier start left; of a damaged file nothing is believed."""
        raw = read_secret(self._path)
        with contextlib.suppress(*UNDECODABLE):
            return from_msgpack(raw, GatewayPairs) if raw else None
        log.warning("%s is damaged and made anew", self._path)
        return None


async def _certify(task: PairsTask) -> GatewayPairs:
    try:
        out, err = await ask_child("aware_agent.agent.member.gateway_pairs", msgspec.msgpack.encode(task), CHILD_S)
        return from_msgpack(out, GatewayPairs)
    except TimeoutError:
        raise GatewayKeysFailed(f"certifying the gateway's keys took longer than {CHILD_S:.0f} s") from None
    except UNDECODABLE:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise GatewayKeysFailed(f"the gateway's keys were not certified: {last[:300]}") from None
