"""What a node's beacons say, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from aware_agent.agent.settings import Settings
from aware_agent.colony.node import AgentConfig
from aware_agent.discovery.interfaces import choose_links
from aware_agent.discovery.pace import Pace
from aware_agent.discovery.service import AnnounceKeys, BeaconService, NodeAnnouncement
from aware_agent.security.keyring import Keyring

if TYPE_CHECKING:
    from aware_agent.agent.reader import ColonyReader


class SeekKey(Protocol):
    """Finds the beacon key of a join token, while this node reigns."""

    def __call__(self, token_id: str, /) -> bytes | None:
        """The key, or None."""


def make_beacons(
    settings: Settings,
    keyring: Keyring,
    describe: Callable[[], NodeAnnouncement],
    seek_key: SeekKey,
    *,
    quiet: Callable[[], bool] = lambda: False,
) -> BeaconService:
    """The service that announces this node on the networks the settings choose, unless ``quiet``; not started yet."""
    links = choose_links(settings.address, settings.discovery.interfaces) if settings.discovery.broadcast else []
    return BeaconService(
        colony=settings.colony,
        links=links,
        port=settings.discovery.port,
        keys=announce_keys(keyring),
        describe=describe,
        token_key=seek_key,
        quiet=quiet,
        pace=pace(settings, AgentConfig()),
    )


def announce_keys(keyring: Keyring) -> AnnounceKeys:
    """Keys that sign and check beacons."""
    return AnnounceKeys(current=str(keyring.current), keys=keyring.beacon_keys())


def pace(settings: Settings, agent: AgentConfig) -> Pace:
    """How often to call: what the colony configured for this node, else its own settings."""
    return Pace(interval_s=agent.beacon_interval_s or settings.discovery.interval_s)


def announcement(settings: Settings, me: str, name: str, reader: ColonyReader | None, term: int) -> NodeAnnouncement:
    """This node and the queen it knows. ``term`` is 0 while there is none."""
    queen_record = reader.queen_record() if reader else None
    return NodeAnnouncement(
        id=me,
        name=name,
        address=settings.address,
        url=settings.url,
        queen_id=queen_record.id if queen_record else "",
        queen_url=queen_record.url if queen_record else "",
        term=term,
        size=len(reader.presence()) if reader else 0,
    )
