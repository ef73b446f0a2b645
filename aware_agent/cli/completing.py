"""What a shell completes: names of nodes, castes, operations and contexts, and ids of jobs.

A completion is asked for while somebody types. It is bounded in time whatever the network does, prints nothing, changes
nothing (tokens least of all), and what a colony said is remembered for some seconds, its silence as well.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from aware_agent.cli.context import Context

LIMIT_S = 1.0  # what one key press may take beyond the start of the program
CACHE_S = 15.0
MOST = 1000  # names; more help nobody


class _Names(NamedTuple):
    path: str
    field: str  # of the answer: a list of documents
    key: str  # of each


_NODES = _Names("/v1/nodes", "nodes", "name")
_CASTES = _Names("/v1/castes", "castes", "name")
_OPERATIONS = _Names("/v1/operations", "operations", "name")
_JOBS = _Names("/v1/jobs", "jobs", "id")


def complete_node(ctx: Any, incomplete: str) -> list[str]:
    """Names of nodes that begin so."""
    return _complete(ctx, _NODES, incomplete)


def complete_caste(ctx: Any, incomplete: str) -> list[str]:
    """Names of castes that begin so."""
    return _complete(ctx, _CASTES, incomplete)


def complete_operation(ctx: Any, incomplete: str) -> list[str]:
    """Names of operations that begin so."""
    return _complete(ctx, _OPERATIONS, incomplete)


def complete_job(ctx: Any, incomplete: str) -> list[str]:
    """Ids of jobs that begin so."""
    return _complete(ctx, _JOBS, incomplete)


def complete_saved(incomplete: str) -> list[str]:
    """Names of saved contexts that begin so."""
    from aware_agent.cli.context import saved_names

    return [name for name in saved_names() if name.startswith(incomplete)]


def complete_context(incomplete: str) -> list[str]:
    """Names of saved contexts, and files."""
    import glob

    try:
        found = sorted(glob.glob(f"{glob.escape(os.path.expanduser(incomplete))}*"))[:MOST]
    except OSError:
        found = []
    files = [f"{path}/" if os.path.isdir(path) else path for path in found]
    if incomplete.startswith("~/"):
        home = os.path.expanduser("~")
        files = [path.replace(home, "~", 1) for path in files]
    return [*complete_saved(incomplete), *files]


def _complete(ctx: Any, wanted: _Names, incomplete: str) -> list[str]:
    try:
        found = _names(ctx.params.get("context"), wanted)
    except Exception:  # there is no place in a shell to tell of it; the command itself will
        return []
    return [name for name in found if name.startswith(incomplete)][:MOST]


def _names(option: Any, wanted: _Names) -> list[str]:
    """What the colony says, or said some seconds ago; nothing when it says nothing."""
    import msgspec

    from aware_agent.cli.context import load_context
    from aware_agent.cli.doctor_run import bounded

    context = load_context(Path(option) if option else None)
    cache = _cache(context.origin, *context.endpoints, wanted.path)
    if (known := _remembered(cache)) is not None:
        return known
    # Without its file the token is not renewed: a new one that comes when the shell has given up would be lost.
    context = msgspec.structs.replace(context, given_token=context.token(), token_file=None)
    # In a thread that is not waited for: looking up a host's name cannot be interrupted.
    found = bounded({wanted: lambda: _ask(context, wanted)}, {wanted: LIMIT_S}).get(wanted, [])
    _remember(cache, found)
    return found


def _ask(context: Context, wanted: _Names) -> list[str]:
    from aware_agent.cli.client import Gateway

    try:
        with Gateway(context, deadline_s=LIMIT_S, timeout_s=LIMIT_S) as client:
            data = client.get(wanted.path, fields=wanted.key if wanted is _NODES else None).data
        return sorted(str(one[wanted.key]) for one in data[wanted.field])
    except Exception:
        return []


# What was said some seconds ago ----------------------------------------------------------------------------------


def _cache(*parts: str) -> Path | None:
    """The file for what was asked; None for a user without a home directory."""
    import hashlib

    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.expanduser("~/.cache")
    if not os.path.isabs(home):
        return None
    return Path(home) / "aware" / "completion" / (hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32] + ".json")


def _remembered(path: Path | None) -> list[str] | None:
    from aware_agent.colony.decoding import UNDECODABLE, from_json
    from aware_agent.security.regular import read_regular

    try:
        if path is None or not 0 <= time.time() - path.stat().st_mtime < CACHE_S:
            return None
        return from_json(read_regular(path), list[str])
    except (OSError, *UNDECODABLE):
        return None


def _remember(path: Path | None, names: list[str]) -> None:
    import msgspec

    from aware_agent.colony.errors import AwareError
    from aware_agent.security.files import write_atomic

    with contextlib.suppress(OSError, AwareError):  # a place that cannot be written only costs time
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(path, msgspec.json.encode(names))
