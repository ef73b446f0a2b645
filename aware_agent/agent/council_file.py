"""Where a worker found the council last, kept for its next start."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from aware_agent.channel.frames import Seat
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.security.files import PUBLIC_MODE, read_public, write_atomic

log = logging.getLogger(__name__)

MAX_SEATS = 15


def load_council(path: Path) -> list[Seat]:
    """The members last heard of; none when there is no such file, or none that can be read."""
    try:
        raw = read_public(path)
        return from_json(raw, list[Seat])[:MAX_SEATS] if raw else []
    except (AwareError, *UNDECODABLE) as error:
        log.warning("the council is not remembered: %s", error)
        return []


def save_council(path: Path, seats: Sequence[Seat]) -> None:
    """Keep them. A disk that is full costs only the memory."""
    try:
        write_atomic(path, msgspec.json.encode(seats[:MAX_SEATS]), PUBLIC_MODE)
    except AwareError as error:
        log.warning("the council is not remembered: %s", error)


def ways_in(remembered: Iterable[Seat], addresses: Iterable[str]) -> list[Seat]:
    """Members to try, those heard of last first; ``addresses`` (host:port) are known without a name."""
    seats = {seat.channel: seat for seat in remembered if seat.channel}
    for address in addresses:
        seats.setdefault(address, Seat(id=address, name=address, url="", channel=address))
    return list(seats.values())
