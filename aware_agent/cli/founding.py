"""The work behind ``aware colony``: parameters kept between making the material and founding."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from aware_agent.agent.etcd_auth import enable_auth
from aware_agent.agent.found import found
from aware_agent.agent.material import Material, make_material
from aware_agent.cli.files import read_secret_text
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.security.files import read_public, read_secret, write_atomic
from aware_agent.security.password import ensure_password
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.keys import Keys

if TYPE_CHECKING:
    from aware_agent.colony.spec import Spec

_ETCD_DEADLINE_S = 20.0  # etcd may be starting


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the material was asked for; kept beside it, so that founding needs only the directory."""

    colony: str
    address: str
    founder_name: str
    founder_state: str  # below the material directory it is relative to it, so that the directory may be moved
    etcd: tuple[str, ...]

    def make(self, directory: Path) -> Material:
        """Make or complete the material."""
        return make_material(
            self.colony,
            directory,
            etcd_addresses=self.etcd,
            founder_name=self.founder_name,
            founder_address=self.address,
            founder_state=directory / self.founder_state,
            now=time.time(),
        )


def prepare(request: Request, directory: Path) -> tuple[Material, bool]:
    """Make the material of ``request`` in ``directory``; the second value says whether anything was written."""
    material = request.make(directory)
    path = _request_path(directory)
    raw = msgspec.json.encode(request)
    if read_public(path) == raw:
        return material, bool(material.changed)
    write_atomic(path, raw)
    return material, True


def load(directory: Path) -> tuple[Material, Request]:
    """The material made by :func:`prepare` and what was asked for. Raises :class:`InvalidInput` when there is none."""
    raw = read_public(_request_path(directory))
    if raw is None:
        raise InvalidInput(f"{directory} holds no founding material", hint="aware colony material makes it")
    try:
        request = from_json(raw, Request)
    except UNDECODABLE as error:
        raise InvalidInput(
            f"{_request_path(directory)} is damaged: {error}", hint="run aware colony material"
        ) from error
    return request.make(directory.absolute()), request


async def found_colony(
    material: Material,
    spec: Spec,
    *,
    etcd: str,
    password_file: Path,
    token_file: Path,
    token_ttl_s: float | None,
    etcd_auth: bool = False,
) -> tuple[bool, bool]:
    """Found the colony and write its secrets. Returns whether it was founded now, and whether anything else changed.

    With ``etcd_auth`` etcd is guarded then, also when the colony was founded before.
    """
    made_password = ensure_password(password_file)
    pair = material.founder
    credentials = Credentials(ca=material.council_ca.certificate, cert=pair.certificate, key=pair.key)
    async with EtcdClient([etcd_address(etcd)], credentials, deadline_s=_ETCD_DEADLINE_S) as client:
        token = await found(
            client,
            Keys(material.colony),
            material,
            spec,
            read_secret_text(password_file, "password file"),
            now=time.time(),
            token_ttl_s=token_ttl_s,
        )
        guarded = etcd_auth and await enable_auth(client, Keys(material.colony))
    if token is None and made_password:
        os.unlink(password_file)
        raise Conflict(
            f"colony {material.colony} was founded before, and {password_file} is missing",
            hint="restore the file, or log in as another admin and use aware users set",
        )
    text = f"{material.token}\n".encode()
    if token is None and read_secret(token_file) is not None:
        return False, guarded  # another token may lie there by now: it is left alone
    write_atomic(token_file, text)
    return token is not None, True


def etcd_address(url: str) -> str:
    """``host:port`` of an etcd URL. Raises :class:`InvalidInput`; etcd without TLS is refused."""
    text = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"{url!r} is not an address of etcd", field="etcd", hint="https://HOST:PORT") from error
    if parts.scheme != "https" or not parts.hostname or port is None or parts.path not in {"", "/"}:
        raise InvalidInput(f"{url!r} is not an address of etcd", field="etcd", hint="https://HOST:PORT")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


def _request_path(directory: Path) -> Path:
    return directory / "request.json"
