"""What a council member tells its gateway: where to listen, whom to trust, and keys that serve one purpose each."""

from __future__ import annotations

import os
from pathlib import Path

from aware_agent.agent.member.gateway_keys import GatewayKeys
from aware_agent.agent.member.link import VERSION, Facts, Material, Start
from aware_agent.agent.node import Node
from aware_agent.agent.state import StateDir
from aware_agent.security.jwt import token_key
from aware_agent.security.providers import provider_keys
from aware_agent.security.signed_url import signing_keys

SOCKET = "gateway.sock"


class GatewayStart:
    """Reads the state of ``node`` at the moment it is asked."""

    def __init__(self, node: Node, state_dir: StateDir) -> None:
        self._node = node
        self.keys = GatewayKeys(state_dir, node.id, node.keys, node.client, lambda: node.keyring)
        self.socket = Path(os.environ.get("RUNTIME_DIRECTORY", "") or state_dir.path) / SOCKET

    def start(self, listener: int) -> Start:
        """The first frame of a new gateway, which inherits ``listener``."""
        settings = self._node.settings
        return Start(
            version=VERSION,
            colony=settings.colony,
            node=self._node.id,
            name=self._node.name,
            socket=str(self.socket),
            listener=listener,
            endpoints=self._node.etcd,
            gateway=settings.gateway,
            audit_directory=str(Path(settings.state_dir) / "audit"),
            audit=settings.audit,
            log=settings.log,
            passwords=settings.passwords,
            tracing=settings.tracing,
            material=self.material(),
        )

    def facts(self, number: int) -> Facts:
        """How the agent is, as answer to question ``number``."""
        ready, reason = self._node.ready()
        return Facts(id=number, ready=ready, reason=reason, term=self._node.term, families=list(self._node.families()))

    def material(self) -> Material:
        """What the gateway is to use from now on."""
        pairs = self.keys.pairs
        secrets, colony = self._node.keyring.secrets, self._node.settings.colony
        return Material(
            ca=self._node.ca_pem,
            council_ca=self._node.council_ca_pem,
            tls_certificate=pairs.tls_certificate,
            tls_key=pairs.tls_key,
            etcd_certificate=pairs.etcd_certificate,
            etcd_key=pairs.etcd_key,
            token_keys=tuple(token_key(colony, secret) for secret in secrets),
            url_keys=tuple(dict(signing_keys(secret)) for secret in secrets),
            provider_keys=provider_keys(*secrets),
            audit_keys=pairs.audit_keys,
        )
