"""A council member, as its gateway knows it: the mirror of the colony, the keys it was given, the agent beside it."""

from __future__ import annotations

from aware_agent.agent.explanation import Explanation
from aware_agent.agent.member.link import Facts, Material, Start
from aware_agent.gateway.agent_link import AgentLink
from aware_agent.gateway.mirror import Mirror
from aware_agent.gateway.queen_client import QueenClient
from aware_agent.security.password_rules import PasswordRules
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.keys import Keys


class Member(Mirror):
    """Implements :class:`aware_agent.gateway.context.GatewayContext`."""

    def __init__(self, client: EtcdClient, start: Start, link: AgentLink) -> None:
        super().__init__(client, Keys(start.colony))
        self._etcd = client
        self._link = link
        link.loads = self.learn
        self._use(start.material)
        self.me = start.node
        self.colony = start.colony
        self.password_rules = PasswordRules(
            min_length=start.passwords.min_length, refused_file=start.passwords.refused_file
        )
        self.commands = QueenClient(start.node, self, link)

    def adopt(self, material: Material) -> None:
        """Use new keys and certificates from now on."""
        self._etcd.renew(credentials(material))
        self._use(material)

    async def facts(self) -> Facts | None:
        """How the agent is; None when it does not answer."""
        return await self._link.facts()

    async def explanation(self) -> Explanation:
        """The agent's part in the election. Raises what the agent raised, and AgentHangs."""
        return await self._link.explanation()

    def _use(self, material: Material) -> None:
        self.ca_pem = material.ca
        self.council_ca_pem = material.council_ca
        self.token_keys = material.token_keys
        self.url_keys = material.url_keys
        self.provider_keys = material.provider_keys
        self.audit_keys = material.audit_keys


def credentials(material: Material) -> Credentials:
    """What the gateway shows to etcd."""
    return Credentials(ca=material.council_ca, cert=material.etcd_certificate, key=material.etcd_key)
