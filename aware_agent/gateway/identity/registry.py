"""The identity providers of the colony as one gateway uses them: a client for each record, made when first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from aware_agent.colony.errors import NotFound
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.identity.errors import ProviderUnreachable
from aware_agent.gateway.identity.flow import Flows
from aware_agent.gateway.identity.keystone import KeystoneClient
from aware_agent.gateway.identity.oidc import OidcClient
from aware_agent.security.providers import KIND, OidcProvider, ProviderRecord
from aware_agent.security.sealed import SealBroken, Sealer
from aware_agent.store.keys import Keys


class Known(NamedTuple):
    """A provider's record and the client that asks it."""

    revision: int
    record: ProviderRecord
    client: OidcClient | KeystoneClient


class Identities:
    """Clients follow their records. ``clock`` shows Unix time."""

    def __init__(self, context: GatewayContext, clock: Callable[[], float]) -> None:
        self._context, self._clock = context, clock
        self._names = Keys(context.colony)
        self._known: dict[str, Known] = {}
        self._keys: object = None
        self._sealer: Sealer | None = None
        self.flows = Flows()

    def records(self) -> dict[str, ProviderRecord]:
        """All providers by name. Raises NotMirrored before they were read."""
        self._context.view()
        return self._context.reader.many(f"{KIND}/", ProviderRecord)

    def sealer(self) -> Sealer:
        """Of client secrets, with the keys of now."""
        keys = self._context.provider_keys
        if self._sealer is None or self._keys is not keys:
            self._sealer, self._keys = Sealer(dict(keys), keys[0][0]), keys
        return self._sealer

    def place(self, name: str) -> bytes:
        """The etcd key of a provider, which its secret's seal is bound to."""
        return self._names.key(KIND, name)

    async def get(self, name: str) -> Known:
        """The provider of that name. Raises NotFound."""
        records = self.records()
        for gone in [each for each in self._known if each not in records]:
            await self._known.pop(gone).client.close()
        record = records.get(name)
        stored = self._context.projection.get(self.place(name)) if record else None
        if record is None or stored is None:
            raise NotFound(f"there is no identity provider {name[:64]!r}", hint="GET /v1/auth/providers lists them")
        known = self._known.get(name)
        if known is None or known.revision != stored.mod_revision:
            if known is not None:
                await known.client.close()
            known = self._known[name] = Known(stored.mod_revision, record, self._client(name, record))
        return known

    async def close(self) -> None:
        """End all connections."""
        while self._known:
            await self._known.popitem()[1].client.close()

    def _client(self, name: str, record: ProviderRecord) -> OidcClient | KeystoneClient:
        provider = record.provider
        if isinstance(provider, OidcProvider):
            return OidcClient(provider, lambda: self.secret(name, provider), self._clock)
        return KeystoneClient(provider)

    def secret(self, name: str, provider: OidcProvider, *, quietly: bool = False) -> str:
        """Its client secret, empty when it has none; ``quietly`` also when it does not open, which else raises
        :class:`ProviderUnreachable`.
        """
        if not provider.client_secret:
            return ""
        try:
            return self.sealer().open(provider.client_secret, self.place(name)).decode()
        except (SealBroken, UnicodeDecodeError):
            if quietly:
                return ""
            raise ProviderUnreachable(
                "the client secret of this provider cannot be opened", hint="an admin has to give it again"
            ) from None
