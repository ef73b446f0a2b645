"""What a queen asks of whoever provides servers. Three calls, each of which may be asked again without harm."""

from __future__ import annotations

from typing import Protocol

import msgspec

from aware_agent.colony.errors import AwareError
from aware_agent.colony.healing import Server


class CloudTrouble(AwareError):
    """The provider did not answer, or refuses everything: it is the patient, not one of its servers."""

    code = "cloud-trouble"
    exit_code = 7
    status = 502


class ListInDoubt(AwareError):
    """The provider answers, and something in its list makes no sense: nothing is concluded from that list."""

    code = "list-in-doubt"
    exit_code = 7
    status = 502


class ServerRefused(AwareError):
    """The provider refuses what was asked about this one server, and nothing else: it is locked, for instance."""

    code = "server-refused"
    exit_code = 5
    status = 409


class NewServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server to be made. ``term`` and ``intent`` become its metadata; ``token`` goes into its user data alone."""

    name: str
    intent: str
    term: int
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"NewServer({self.name!r})"


class Provider(Protocol):
    """Runs its calls outside of the queen's process. They raise CloudTrouble; the last two also ServerRefused."""

    async def servers(self) -> tuple[Server, ...]:
        """All servers of the colony, of people's own too, and none of anybody else. Raises ListInDoubt too."""

    async def create(self, server: NewServer) -> None:
        """Ask for it. When this raises CloudTrouble it may be made all the same: the next list tells."""

    async def delete(self, server: str) -> None:
        """Ask that the server of that id goes. One that is gone is no error."""
