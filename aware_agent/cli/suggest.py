"""What somebody may have meant who wrote a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable

_LEAST = 0.6  # how alike two names have to be, of 1
_MOST_NAMES = 20_000  # as many as a colony may have nodes
_SHOWN = 3


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """``; did you mean demo-1?`` to go on a sentence with; "" when nothing is like it."""
    from difflib import get_close_matches

    known = {name.lower(): name for name, _ in zip(names, range(_MOST_NAMES), strict=False)}
    near = [known[one] for one in get_close_matches(wrong[:255].lower(), known, n=_SHOWN, cutoff=_LEAST)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
