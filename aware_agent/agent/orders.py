"""What a node does when the queen orders it, and what it answers."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from typing import Any, Protocol

from aware_agent import __version__
from aware_agent.agent.diagnostics import collect
from aware_agent.agent.logs import set_level
from aware_agent.agent.settings import Settings
from aware_agent.channel.frames import CheckUpgrade, CollectDiagnostics, NodeOrder, RestartAgent, SetLogLevel
from aware_agent.colony.errors import AwareError

log = logging.getLogger(__name__)

ANSWER_S = 0.3  # a restart waits so long, for its answer to be on its way
MIN_FREE_MIB = 300  # what a second release needs beside the first


class OutdatedOrder(AwareError):
    """The order is of a queen whose term is over."""

    code = "outdated-order"
    exit_code = 6
    status = 409


class OrderedNode(Protocol):
    """The node that is ordered."""

    settings: Settings
    started_at: float

    @property
    def seen_term(self) -> int:
        """The term of the queen this node knows of."""

    def restart(self) -> None:
        """Stop cleanly and start again."""

    def facts(self) -> dict[str, Any]:
        """What it knows of its own state."""


class Orders:
    """Carries out orders, one after the other in the event loop; each is quick."""

    def __init__(self, node: OrderedNode) -> None:
        self._node = node
        self._level = ""  # ordered; holds until the configuration changes or the agent restarts

    def perform(self, order: NodeOrder, term: int) -> dict[str, Any]:
        """Do it and return the answer. Raises AwareError for what this node does not do."""
        if term < self._node.seen_term:
            raise OutdatedOrder(f"the order is of term {term}, and term {self._node.seen_term} has begun")
        log.info("ordered by the queen of term %d: %s", term, type(order).__name__)
        match order:
            case RestartAgent():
                asyncio.get_running_loop().call_later(ANSWER_S, self._node.restart)
                return {"restarting": True, "version": __version__}
            case SetLogLevel(level):
                self._level = level
                set_level(level)
                return {"level": level}
            case CollectDiagnostics():
                return collect(self._node.settings, self._node.started_at, self._node.facts())
            case CheckUpgrade(version=version):
                return check_upgrade(version, self._node.settings.state_dir)

    def level(self, configured: str, *, changed: bool) -> str:
        """The level to log at: as ordered, until the configuration ``changed``."""
        if changed:
            self._level = ""
        return self._level or configured


def check_upgrade(version: str, state_dir: str, python: tuple[str, str, str] | None = None) -> dict[str, Any]:
    """Whether this node could change to ``version``, and what speaks against it."""
    found = python or platform.python_version_tuple()
    problems = []
    if (int(found[0]), int(found[1])) < (3, 11):
        problems.append(f"Python {found[0]}.{found[1]} is too old, 3.11 is needed")
    free = _free_mib(state_dir)
    if free is not None and free < MIN_FREE_MIB:
        problems.append(f"{free} MiB are free where the state is, {MIN_FREE_MIB} are needed")
    return {
        "version": __version__,
        "wanted": version,
        "change": version != __version__,
        "possible": not problems,
        "problems": problems,
        "python": ".".join(found),
        "free_mib": free,
    }


def _free_mib(directory: str) -> int | None:
    try:
        disk = os.statvfs(directory)
    except OSError:
        return None
    return disk.f_frsize * disk.f_bavail // (1024 * 1024)
