"""Scopes: what a credential may at most do, out of what its role may. ``resource:verb``, then perhaps ``@selectors``.

``nodes:cordon@caste=web`` is cordoning nodes of caste web; ``*:read`` is reading everything; ``nodes:*@label:disk=ssd``
is whatever the role may do with nodes to which a person gave that label. A scope takes away and never gives. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.permissions import PERMISSIONS

MAX_SCOPES = 32
MAX_CHARACTERS = 512
SELECTABLE = ("nodes", "config", "hooks", "castes")  # what is about one node, or one caste
_FORM = re.compile(r"(?P<resource>[a-z-]+|\*):(?P<verb>[a-z-]+|\*)(?:@(?P<selectors>[!-~]+))?")
_CASTE = re.compile(r"caste=([a-z][a-z0-9_]{0,62})")
_LABEL = re.compile(r"label:([A-Za-z0-9][A-Za-z0-9._/-]{0,62})=([A-Za-z0-9._/-]{0,255})")
_HINT = "resource:verb, as nodes:cordon, *:read or nodes:*@caste=web,label:disk=ssd; see docs/authorization.md"


class Target(NamedTuple):
    """What a request is about: the caste, and the labels that people gave it."""

    caste: str = ""
    labels: Mapping[str, str] = {}


class Scope(NamedTuple):
    """One scope, taken apart. All selectors have to fit: key and value, ``caste`` or ``label:...``."""

    resource: str
    verb: str
    selectors: frozenset[tuple[str, str]] = frozenset()

    def names(self, permission: str) -> bool:
        """Whether it is about ``resource:verb``, wherever."""
        resource, _, verb = permission.partition(":")
        return self.resource in ("*", resource) and self.verb in ("*", verb)

    def selects(self, target: Target | None) -> bool:
        """Whether it reaches ``target``; None is all there is, which only a scope without selectors reaches."""
        if target is None:
            return not self.selectors
        return all(_value(target, key) == value for key, value in self.selectors)


@lru_cache(maxsize=1024)
def parse_scope(text: str) -> Scope:
    """Take ``text`` apart. Raises :class:`InvalidInput` that says what is wrong with it."""
    shown = repr(text)[:80]
    match = _FORM.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if match is None:
        raise InvalidInput(f"{shown} is not a scope", field="scopes", hint=_HINT)
    resource, verb = match["resource"], match["verb"]
    if resource != "*" and resource not in PERMISSIONS:
        raise InvalidInput(f"scope {shown}: there is no resource {resource[:40]!r}", field="scopes", hint=_HINT)
    known = PERMISSIONS.get(resource) or {one for verbs in PERMISSIONS.values() for one in verbs}
    if verb != "*" and verb not in known:
        raise InvalidInput(f"scope {shown}: {resource} has no verb {verb[:40]!r}", field="scopes", hint=_HINT)
    selectors = (
        frozenset(_selector(part, shown) for part in match["selectors"].split(",")) if match["selectors"] else ()
    )
    if selectors and resource not in SELECTABLE:
        raise InvalidInput(
            f"scope {shown}: {resource} cannot be told apart by caste or label",
            field="scopes",
            hint=f"leave out what follows the @; only {', '.join(SELECTABLE)} can",
        )
    return Scope(resource, verb, frozenset(selectors))


def check_scopes(texts: Sequence[str]) -> tuple[str, ...]:
    """Each scope once, in order. Raises :class:`InvalidInput` for the first bad one, and for too many."""
    if len(texts) > MAX_SCOPES:
        raise InvalidInput(f"{len(texts)} scopes are too many", field="scopes", hint=f"at most {MAX_SCOPES}")
    for text in texts:
        parse_scope(text)
    return tuple(dict.fromkeys(texts))


def covers(scopes: Iterable[str], permission: str, target: Target | None) -> bool:
    """Whether any of ``scopes`` lets ``permission`` be used on ``target``."""
    return any(one.names(permission) and one.selects(target) for one in map(parse_scope, scopes))


def touches(scopes: Iterable[str], permissions: Iterable[str]) -> bool:
    """Whether any of ``scopes`` is about any of ``permissions``, on something."""
    wanted = list(permissions)
    return any(scope.names(one) for scope in map(parse_scope, scopes) for one in wanted)


def within(narrow: Iterable[str], wide: Sequence[str]) -> bool:
    """Whether each scope of ``narrow`` lets nothing be done that one of ``wide`` does not."""
    outer = [parse_scope(text) for text in wide]
    return all(any(_inside(parse_scope(text), other) for other in outer) for text in narrow)


def _inside(narrow: Scope, wide: Scope) -> bool:
    return (
        wide.resource in ("*", narrow.resource)
        and wide.verb in ("*", narrow.verb)
        and wide.selectors <= narrow.selectors
    )


def _selector(text: str, shown: str) -> tuple[str, str]:
    caste, label = _CASTE.fullmatch(text), _LABEL.fullmatch(text)
    if caste:
        return "caste", caste[1]
    if label:
        return f"label:{label[1]}", label[2]
    raise InvalidInput(f"scope {shown}: {text[:40]!r} selects nothing", field="scopes", hint=_HINT)


def _value(target: Target, key: str) -> str | None:
    return target.caste if key == "caste" else target.labels.get(key.removeprefix("label:"))
