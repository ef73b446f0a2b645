"""The material directory through a rotation: it stays the colony's safe, with its CAs, its secret, etcd's certificates.

::

    next/      keys and certificates of both CAs, material.json    made before the rotation starts, brought to the queen
    previous/  the same                                            what was in place before, until the rotation is over

``ca.crt`` and ``council-ca.crt`` hold what is to be believed at the moment: during a rotation the CAs of both
generations, the one that signs first. etcd reads the latter when it starts. Every step may be repeated, also after a
kill.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aware_agent.agent.material import SECRET_BYTES, Seed
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.security import pki
from aware_agent.security.files import (
    PUBLIC_MODE,
    StateCorrupted,
    make_directory,
    only_one,
    read_public,
    read_secret,
    write_atomic,
)

# The seed last: it says which generation is in place.
_NAMES = ("ca.key", "ca.crt", "council-ca.key", "council-ca.crt", "material.json")
_LEAVES = ("etcd*.crt", "founder.crt")


class Synced(msgspec.Struct, frozen=True):
    """What was written, and whether etcd has to be restarted to believe other CAs."""

    written: tuple[str, ...]
    believes_others: bool


def prepare_next(directory: Path, generation: int) -> dict[str, str]:
    """Make, or find, CAs and secret of the next ``generation``; returns them as ``POST /v1/rotation`` takes them."""
    with only_one(directory / ".lock", "founding"):
        seed = _seed(directory)
        shelf = directory / "next"
        made = _seed(shelf) if (shelf / "material.json").exists() else None
        if made is None or made.generation != generation:
            make_directory(shelf)
            now = time.time()
            authorities = {"ca": pki.create_ca(seed.colony, now), "council-ca": pki.create_council_ca(seed.colony, now)}
            made = msgspec.structs.replace(seed, secret=os.urandom(SECRET_BYTES), generation=generation)
            for stem, ca in authorities.items():
                write_atomic(shelf / f"{stem}.key", ca.key)
                write_atomic(shelf / f"{stem}.crt", ca.certificate, PUBLIC_MODE)
            write_atomic(shelf / "material.json", msgspec.json.encode(made))
        return {
            "ca_certificate": _required(shelf / "ca.crt").decode(),
            "ca_key": _required(shelf / "ca.key").decode(),
            "council_ca_certificate": _required(shelf / "council-ca.crt").decode(),
            "council_ca_key": _required(shelf / "council-ca.key").decode(),
            "secret": str(msgspec.to_builtins(made.secret)),
        }


def sync(directory: Path, *, generation: int, settled: bool, bundle: bytes, council_bundle: bytes) -> Synced:
    """Bring ``directory`` in line with a colony that signs with ``generation`` and believes ``bundle``.

    ``council_bundle`` is what etcd is to believe. Raises Conflict when CAs and secret of that generation are not here.
    """
    with only_one(directory / ".lock", "founding"):
        before = _required(directory / "council-ca.crt")
        written: list[str] = []
        _recover(directory)
        if _seed(directory).generation != generation:
            _change_over(directory, generation)
            written += _NAMES
        for name, wanted in (("ca.crt", bundle), ("council-ca.crt", council_bundle)):
            if _required(directory / name) != wanted:
                write_atomic(directory / name, wanted, PUBLIC_MODE)
                written.append(name)
        written += _sign_leaves(directory, council_bundle)
        if settled:
            for name in ("next", "previous"):
                shutil.rmtree(directory / name, ignore_errors=True)
    believes_others = set(_certificates(before)) != set(_certificates(council_bundle))
    return Synced(tuple(dict.fromkeys(written)), believes_others)


def _change_over(directory: Path, generation: int) -> None:
    """Put the shelf that holds ``generation`` in place; what was in place goes to the other shelf."""
    for name in ("next", "previous"):
        shelf = directory / name
        if (shelf / "material.json").exists() and _seed(shelf).generation == generation:
            break
    else:
        raise Conflict(
            f"{directory} does not hold CAs and secret of generation {generation}",
            hint="it was started without this directory; restore it from a backup of the colony",
        )
    other = directory / ("previous" if name == "next" else "next")
    make_directory(other)
    for file in _NAMES:
        write_atomic(other / file, _required(directory / file))
    # From here on a run that is repeated finds the mark and finishes.
    write_atomic(directory / "changing-over", name.encode())
    _recover(directory)


def _recover(directory: Path) -> None:
    """Finish a change that was begun."""
    mark = read_secret(directory / "changing-over")
    if mark is None:
        return
    shelf = directory / ("next" if mark == b"next" else "previous")
    for file in _NAMES:
        mode = PUBLIC_MODE if file.endswith(".crt") else 0o600
        write_atomic(directory / file, _required(shelf / file), mode)
    (directory / "changing-over").unlink()


def _sign_leaves(directory: Path, council_bundle: bytes) -> Iterator[str]:
    """Sign anew, for the same keys and names, what the council CA that signs now has not signed."""
    ca = pki.Pair(pki.first_of(council_bundle), _required(directory / "council-ca.key"))
    for pattern in _LEAVES:
        for path in sorted(directory.glob(pattern)):
            certificate, key = _required(path), read_secret(path.with_suffix(".key"))
            if key is None or pki.is_issued_by(certificate, ca.certificate):
                continue
            said = pki.facts(certificate)
            pair = pki.issue(ca, key, common_name=said.common_name, sans=sorted(said.sans), now=time.time())
            write_atomic(path, pair.certificate, PUBLIC_MODE)
            yield path.name


def _certificates(bundle: bytes) -> list[bytes]:
    return [part.strip() for part in bundle.split(b"-----END CERTIFICATE-----") if part.strip()]


def _seed(directory: Path) -> Seed:
    path = directory / "material.json"
    raw = read_secret(path)
    if raw is None:
        raise InvalidInput(f"{directory} holds no founding material", hint="aware colony material makes it")
    try:
        return from_json(raw, Seed)
    except UNDECODABLE as error:
        raise StateCorrupted(f"{path} is damaged", hint="restore it from a backup") from error


def _required(path: Path) -> bytes:
    raw = read_public(path)
    if raw is None:
        raise StateCorrupted(f"{path} is missing", hint="restore it from a backup")
    return raw
