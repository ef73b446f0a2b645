"""What somebody may have meant who wrote a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

_LEAST = 0.6  # how alike two names have to be, of 1
_MOST_NAMES = 20_000  # as many as a colony may have nodes
_SHOWN = 3


class Named(NamedTuple):
    """A name in a request: what it names, where all of these are listed, and under which keys."""

    name: str
    path: str
    field: str
    key: str = "name"


_LISTS = {
    "nodes": ("/v1/nodes", "nodes"),
    "castes": ("/v1/castes", "castes"),
    "users": ("/v1/users", "users"),
    "service-accounts": ("/v1/service-accounts", "accounts"),
    "operations": ("/v1/operations", "operations"),
}
_IN_BODIES = {"node": "nodes", "from": "nodes", "to": "nodes", "hosts": "nodes", "operation": "operations"}


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """``; did you mean demo-1?`` to go on a sentence with; "" when nothing is like it, or it is there."""
    from difflib import get_close_matches

    known = {name.lower(): name for name, _ in zip(names, range(_MOST_NAMES), strict=False)}
    near = [known[one] for one in get_close_matches(wrong[:255].lower(), known, n=_SHOWN, cutoff=_LEAST)]
    return f"; did you mean {' or '.join(near)}?" if near and wrong not in near else ""


def names_in(path: str, body: Any) -> Iterator[Named]:
    """What a request names that the colony has a list of."""
    segments = path.split("/")
    if len(segments) > 3 and segments[2] in _LISTS:
        yield Named(unquote(segments[3]), *_LISTS[segments[2]])
    for word, said in body.items() if isinstance(body, dict) else ():
        for name in said if isinstance(said, list) else [said]:
            if word in _IN_BODIES and isinstance(name, str):
                yield Named(name, *_LISTS[_IN_BODIES[word]])
