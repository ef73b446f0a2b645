"""What a council member and a worker have in common: how they introduce themselves, the server beside them, and the end
of their membership.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aware_agent import __version__
from aware_agent.agent.capabilities import measure
from aware_agent.agent.renewal import trust_report
from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.colony.node import Report
from aware_agent.security.keyring import Keyring

RENEW_WAYS = 8  # gateways asked in one attempt to renew


def first_report(settings: Settings, state: NodeState, keyring: Keyring, incarnation: str, origin: str) -> Report:
    """What a node says of itself when it starts; it could reign, and takes channels, if it was given the secret."""
    return Report(
        name=state.identity.name,
        address=settings.address,
        url=settings.url,
        incarnation=incarnation,
        version=__version__,
        joined_at=state.membership.joined_at,
        candidate=keyring.whole,
        priority=settings.priority,
        channel=settings.channel_address if keyring.whole else "",
        capabilities=measure(Path(settings.state_dir), settings.zone),
        labels=settings.labels,
        origin=origin,
        home=StateDir(Path(settings.state_dir)).home(),
        trust=trust_report(keyring, state, incarnation),
    )


class NotElecting(AwareError):
    """This member takes no part in the election yet, so that there is nothing to explain."""

    code = "not-electing"
    status = 503
    retry_after = 1


class Removed(AwareError):
    """The queen has removed this node from the colony."""

    code = "removed"
    exit_code = 20

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="aware-agent rejoin makes it a new node, which a join token lets in")


class IdentityInUse(AwareError):
    """Another process lives under this node's identity, and was there first."""

    code = "identity-in-use"
    exit_code = 23

    def __init__(self, name: str, where: str) -> None:
        super().__init__(
            f"another process with the identity of {name} is in the colony" + (f" at {where}" if where else ""),
            hint="was this disk copied? aware-agent rejoin makes this one a node of its own",
        )


class Server(Protocol):
    """The HTTP server of this node."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Stop listening and finish."""

    def reload_tls(self) -> None:
        """Show the certificate that lies in the state directory now, to those who connect from now on."""

    async def run(self) -> None:
        """A duty: lasts until :meth:`stop`. Raises AwareError when nobody can be served any more."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever :attr:`serving` or :attr:`unfit` changes."""

    @property
    def serving(self) -> bool:
        """Whether requests are answered."""

    @property
    def unfit(self) -> str:
        """Why this node cannot serve a reign; empty while it can."""
