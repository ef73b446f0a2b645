"""How people and programs may write a number to us: in one spelling, or not at all. Pure.

Python's own ``int()`` and ``float()`` take ``1_000``, ``+5``, `` 5``, digits of any alphabet, ``nan`` and ``1e999``. A
revision or a limit that is not what somebody wrote is worse than none, so nothing outside may be read with them.
"""

from __future__ import annotations

import re

MOST = 2**63 - 1  # of etcd's revisions
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?")


def whole(text: str, least: int = 0, most: int = MOST) -> int:
    """The whole number that ``text`` is. Raises ``ValueError`` whose text says what was wanted."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    if number is None or not least <= number <= most:
        raise ValueError(f"not a whole number {_range(least, most, MOST)}")
    return number


def decimal(text: str, least: float = 0.0, most: float = 1e15) -> float:
    """The number that ``text`` is, such as ``2.5``. Raises ``ValueError`` whose text says what was wanted."""
    number = float(text) if _DECIMAL.fullmatch(text) else None
    if number is None or not least <= number <= most:
        raise ValueError(f"not a number {_range(least, most, 1e15)}")
    return number


def _range(least: float, most: float, end: float) -> str:
    return f"from {least} on" if most == end else f"from {least} to {most}"
