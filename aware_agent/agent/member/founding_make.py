"""The lowest founder's work: everything is derived from the founding key, etcd begins here, one transaction founds.

Every step may be repeated after a crash and then changes nothing, or completes what was begun.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

import msgspec

from aware_agent.agent.etcd_auth import enable_auth
from aware_agent.agent.found import found
from aware_agent.agent.material import Material, Seed, make_material
from aware_agent.agent.member.etcd_home import EtcdPair, EtcdPlan
from aware_agent.agent.member.etcd_unit import EtcdUnit
from aware_agent.agent.settings import Settings
from aware_agent.colony.spec import CouncilSpec, Spec
from aware_agent.security import pki
from aware_agent.security.files import make_directory, read_secret, write_atomic
from aware_agent.security.founding_key import FoundingKey
from aware_agent.security.password import ensure_password
from aware_agent.security.token import JoinToken, make_token
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.keys import Keys

log = logging.getLogger(__name__)


def founders_token(key: FoundingKey) -> JoinToken:
    """With which the other founders, and late comers, join."""
    ca = pki.create_ca(key.colony, time.time(), key=key.ca_key())
    return make_token(pki.ca_pin(ca.certificate), key.token_bytes)


class Maker:
    """Founds on this node. Its files are in ``founding/`` of the state directory until the colony serves."""

    def __init__(self, settings: Settings, key: FoundingKey) -> None:
        self._settings = settings
        self._key = key
        self._state_dir = Path(settings.state_dir)
        self.directory = self._state_dir / "founding"
        self.password_path = self._state_dir / "admin.password"

    async def make(self) -> None:
        """Do all of it. Raises AwareError; then it may be called again."""
        unit = EtcdUnit(
            self._state_dir,
            production=self._settings.store.production,
            systemd=self._settings.council.etcd == "systemd",
            quota_mib=self._settings.council.quota_mib,
        )
        material = self._material()
        credentials = Credentials(
            ca=material.council_ca.certificate, cert=material.founder.certificate, key=material.founder.key
        )
        pair = EtcdPair(
            ca=material.council_ca.certificate, certificate=material.etcd.certificate, key=material.etcd.key
        )
        kept = unit.home.plan()
        try:
            await unit.run(kept or self._plan(material.founder_id), pair)
            await unit.wait_ready(credentials)
            await unit.learn_id(credentials)
            await self._found(material, credentials)
        finally:
            await unit.close()

    def clear(self) -> None:
        """Forget what only founding needed: the CAs' keys lie there in the clear."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _material(self) -> Material:
        make_directory(self.directory)
        seed = Seed(colony=self._key.colony, secret=self._key.colony_secret, token=self._key.token_bytes)
        derived = {
            "ca.key": self._key.ca_key(),
            "council-ca.key": self._key.council_ca_key(),
            "material.json": msgspec.json.encode(seed),
        }
        for name, data in derived.items():
            if read_secret(self.directory / name) is None:
                write_atomic(self.directory / name, data)
        return make_material(
            self._key.colony,
            self.directory,
            etcd_addresses=[self._settings.own_url(self._settings.council.client_port).removeprefix("https://")],
            founder_name=self._settings.name,
            founder_address=self._settings.address,
            founder_state=self._state_dir,
            now=time.time(),
        )

    def _plan(self, node: str) -> EtcdPlan:
        peer_url = self._settings.own_url(self._settings.council.peer_port)
        return EtcdPlan(
            name=node,
            client_url=self._settings.own_url(self._settings.council.client_port),
            peer_url=peer_url,
            peers={node: peer_url},
            token=self._key.colony,
            joins=False,
        )

    async def _found(self, material: Material, credentials: Credentials) -> None:
        size = self._settings.council.size
        spec = Spec(colony=self._key.colony, size=size, council=CouncilSpec(size=size))
        keys = Keys(self._key.colony)
        async with EtcdClient([self._settings.own_url(self._settings.council.client_port)], credentials) as client:
            await found(client, keys, material, spec, self._password(), now=time.time())
            await enable_auth(client, keys)

    def _password(self) -> str:
        if ensure_password(self.password_path):
            log.info("the password of user admin is in %s", self.password_path)
        return (read_secret(self.password_path) or b"").decode().strip()
