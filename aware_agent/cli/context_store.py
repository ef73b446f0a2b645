"""Saved contexts: several colonies under names of one's own, and the one in use.

They lie below ``~/.config/aware/contexts``, one ``NAME.json`` each. The one in use is a link to it,
``~/.config/aware/context.json``, which is where the inventory plugin and the modules look as well: they follow.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aware_agent.cli.context import (
    ENDPOINTS,
    OWN,
    SAVED,
    Context,
    beside,
    config_home,
    find_context,
    is_context_name,
    load_context,
    saved_context,
    saved_names,
)
from aware_agent.cli.errors import ContextError
from aware_agent.cli.suggest import did_you_mean
from aware_agent.colony.errors import AwareError, Conflict, InvalidInput, NotFound

CA_FILE, TOKEN_FILE = "ca.crt", "token"
_OWN_FILES = (CA_FILE, TOKEN_FILE, f"{TOKEN_FILE}.refresh")  # what lies beside one that was made from endpoints


class Saved(NamedTuple):
    """A context with a name; ``trouble`` is why it cannot be used."""

    name: str  # "" for one that is used and not saved
    path: Path
    context: Context | None
    trouble: str


def saved() -> Iterator[Saved]:
    """All of them by name, damaged ones too."""
    for name in saved_names():
        if path := saved_context(name):
            yield load(name, path)


def load(name: str, path: Path) -> Saved:
    """The context at ``path``; never raises for what is wrong with it."""
    try:
        return Saved(name, path, load_context(path, {}), "")
    except AwareError as error:
        return Saved(name, path, None, error.message)


def find(name: str) -> Saved:
    """The one called so. Raises NotFound with those that are called nearly so."""
    path = saved_context(name)
    if path is None:
        near = did_you_mean(name, saved_names())
        raise NotFound(f"no context is saved as {name[:80]!r}{near}", hint="they are listed by: aware context list")
    return load(name, path)


def place(name: str) -> Path:
    """Where a new context of that name goes. Raises InvalidInput, Conflict, ContextError."""
    if not is_context_name(name):
        raise InvalidInput(
            f"{name[:80]!r} cannot be the name of a context",
            field="name",
            hint="at most 63 letters, digits, dots, dashes and underscores; a letter or digit first; no .members last",
        )
    home = config_home(os.environ)
    if home is None:
        raise ContextError("this user has no home directory to keep contexts in", hint="set HOME or XDG_CONFIG_HOME")
    path = home / SAVED / f"{name}.json"
    if os.path.lexists(path):
        raise _taken(name)
    return path


def save(name: str, context: Context) -> Path:
    """Write a context that says where its files are, wherever it lies itself."""
    from aware_agent.cli.files import write_new_secret

    path = place(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {
        "colony": context.colony,
        "endpoints": context.endpoints,
        "ca_file": str(context.ca_file or ""),
        "token_file": str(context.token_file or ""),
    }
    try:
        write_new_secret(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except Conflict:
        raise _taken(name) from None
    return path


def make(name: str, endpoints: list[str], ca: bytes | None) -> Path:
    """Save one for ``endpoints``; ``ca``: a PEM bundle that is copied, None for the authorities of this system.

    Its token will lie beside it. Raises what :func:`place` does, and ContextError for what cannot be used.
    """
    from aware_agent.cli.verified import believing, colony_of
    from aware_agent.security.files import PUBLIC_MODE, write_atomic

    path = place(name)
    colony = "" if ca is None else colony_of(believing(ca))
    authority = None if ca is None else beside(path, CA_FILE)
    context = load_context(None, {ENDPOINTS: ",".join(endpoints)})  # judges them
    context = msgspec.structs.replace(context, colony=colony, ca_file=authority, token_file=beside(path, TOKEN_FILE))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if ca is not None and authority is not None:
        write_atomic(authority, ca, PUBLIC_MODE)
    return save(name, context)


def keep_own() -> str:
    """Save a context that lies where the link shall be, under the name of its colony; "" when none does.

    Its own files come along: a context that is made there later has files of the same names.
    """
    own = _own()
    if own.is_symlink() or not own.exists():
        return ""
    context = load_context(own, {})
    same = (one.name for one in saved() if one.context and _parts(one.context) == _parts(context))
    if (known := next(same, "")) != "":
        return known
    try:
        path = place(context.colony)
        files = {own.with_name(name): beside(path, name) for name in _OWN_FILES}
        ca, token = context.ca_file, context.token_file
        along = msgspec.structs.replace(
            context, ca_file=ca and files.get(ca, ca), token_file=token and files.get(token, token)
        )
        save(context.colony, along)
    except (Conflict, InvalidInput) as error:
        raise Conflict(
            f"{own} is a context that is saved nowhere, and it cannot be saved as {context.colony!r}",
            hint=f"aware context add NAME {own}, then this again",
        ) from error
    for file, target in files.items():
        with contextlib.suppress(FileNotFoundError):
            os.replace(file, target)
    return context.colony


def use(one: Saved) -> None:
    """Let the link point to it."""
    own = _own()
    temporary = own.with_name(f".{own.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(one.path.relative_to(own.parent))
    os.replace(temporary, own)


def remove(one: Saved) -> bool:
    """Forget it and the files that are its own; whether it was the one in use."""
    own = _own()
    was_used = own.is_symlink() and own.resolve() == one.path.resolve()
    if was_used:
        own.unlink()
    one.path.unlink(missing_ok=True)
    one.path.with_name(f"{one.path.stem}.members.json").unlink(missing_ok=True)
    for file in _OWN_FILES:
        beside(one.path, file).unlink(missing_ok=True)
    return was_used


def used_here() -> Path | None:
    """The context that is used here when no option names one; None when the environment says all, or there is none."""
    if os.environ.get(ENDPOINTS) and not os.environ.get("AWARE_CONTEXT"):
        return None
    try:
        used = Path(os.path.abspath(find_context()))
    except ContextError:
        return None
    # A home directory may itself be behind a link: a saved one is told by the path that it is saved at.
    kept = (saved_context(name) for name in saved_names())
    return next((path for path in kept if path and path.resolve() == used.resolve()), used)


def _own() -> Path:
    home = config_home(os.environ)
    if home is None:
        raise ContextError("this user has no home directory to keep contexts in", hint="set HOME or XDG_CONFIG_HOME")
    return home / OWN


def _parts(context: Context) -> tuple[Any, ...]:
    return context.colony, context.endpoints, context.ca_file, context.token_file


def _taken(name: str) -> Conflict:
    return Conflict(
        f"a context is saved as {name} already and was left alone",
        hint=f"choose another name, or first: aware context remove {name}",
    )
