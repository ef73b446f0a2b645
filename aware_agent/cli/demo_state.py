"""Whether the demo is as its inventory wants it: then a further ``make demo`` has nothing to play."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from aware_agent import __version__
from aware_agent.cli.checkout import Checkout
from aware_agent.cli.processes import agent_pid
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError

# What a play of the demo depends on.
_READ = ("ansible.cfg", "inventories", "playbooks", "collections/ansible_collections/aware/cluster")
_LEFT_OUT = {"__pycache__", "tests", "docs", "changelogs"}


class Played(msgspec.Struct, frozen=True):
    """The last play that ended well: what it read, and the revision of the spec it left."""

    fingerprint: str
    spec_revision: int


def note_played(checkout: Checkout) -> None:
    """Remember that a play has ended well."""
    from aware_agent.security.files import write_atomic

    played = Played(_fingerprint(checkout), _spec_revision(checkout))
    write_atomic(checkout.demo / "played.json", msgspec.json.encode(played))


def forget_played(checkout: Checkout) -> None:
    """A play begins: ended half way, it leaves what the next one has to look at."""
    (checkout.demo / "played.json").unlink(missing_ok=True)


def is_settled(checkout: Checkout) -> bool:
    """Whether nothing was edited since the last play, all processes run, and the colony is whole and wants the same."""
    try:
        played = from_json((checkout.demo / "played.json").read_bytes(), Played)
        if played.fingerprint != _fingerprint(checkout) or not _all_run(checkout):
            return False
        return _spec_revision(checkout) == played.spec_revision and _get(checkout, "/v1/cluster")["status"] == "healthy"
    except (OSError, ValueError, AwareError, *UNDECODABLE):  # no play before, or nobody answers: the play finds out why
        return False


def _all_run(checkout: Checkout) -> bool:
    """Agents; etcd is theirs to keep, and a colony without it is not healthy."""
    return all(agent_pid(node) for node in (checkout.demo / "nodes").iterdir())


def _spec_revision(checkout: Checkout) -> int:
    return int(_get(checkout, "/v1/spec")["revision"])


def _get(checkout: Checkout, path: str) -> dict[str, Any]:
    from aware_agent.cli.options import gateway

    with gateway(checkout.context_file) as client:
        data: dict[str, Any] = client.get(path).data
        return data


def _fingerprint(checkout: Checkout) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for word in (__version__, sys.executable, str(checkout.root), os.environ.get("AWARE_ETCD", "")):
        digest.update(word.encode(errors="surrogateescape") + b"\0")
    for path in _files(checkout.root):
        digest.update(str(path.relative_to(checkout.root)).encode(errors="surrogateescape") + b"\0")
        digest.update(hashlib.blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(root: Path) -> list[Path]:
    found = []
    for name in _READ:
        top = root / name
        if top.is_file():
            found.append(top)
        for folder, folders, names in os.walk(top):
            folders[:] = [each for each in folders if each not in _LEFT_OUT]
            found += [Path(folder) / each for each in names if not each.endswith(".pyc")]
    return sorted(found)
