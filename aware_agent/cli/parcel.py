"""All that founding needs in one piece, to found where etcd can be reached without laying the CA's key on that disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aware_agent.agent.found import found
from aware_agent.agent.guard import guard
from aware_agent.agent.material import Material
from aware_agent.cli.files import read_text
from aware_agent.cli.founding import ensure_password
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.spec import Spec
from aware_agent.security.files import write_atomic
from aware_agent.security.pki import Pair
from aware_agent.security.token import JoinToken
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys
from aware_agent.store.lines import Credentials

_ETCD_DEADLINE_S = 20.0
_REPAIR = "make it again: aware colony pack"


class Parcel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Material, spec and password of one founding. All of it is secret."""

    colony: str
    secret: bytes
    token: JoinToken
    token_ttl_s: float | None
    ca: Pair
    founder: Pair
    founder_id: str
    founder_name: str
    founder_pin: str
    etcd: tuple[str, ...]  # host:port
    spec: Spec
    admin_password: str

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Parcel({self.colony!r})"

    def material(self) -> Material:
        """What :func:`found` takes; it belongs to no directory."""
        return Material(
            colony=self.colony,
            directory=Path(),
            secret=self.secret,
            token=self.token,
            ca=self.ca,
            etcd=self.founder,
            founder=self.founder,
            founder_id=self.founder_id,
            founder_name=self.founder_name,
            founder_pin=self.founder_pin,
            changed=(),
        )


def pack(
    material: Material,
    etcd: Sequence[str],
    spec: Spec,
    password_file: Path,
    target: Path,
    *,
    token_ttl_s: float | None,
) -> None:
    """Write the parcel to ``target`` (0600), after making the password when there is none."""
    ensure_password(password_file)
    parcel = Parcel(
        colony=material.colony,
        secret=material.secret,
        token=material.token,
        token_ttl_s=token_ttl_s,
        ca=material.ca,
        founder=material.founder,
        founder_id=material.founder_id,
        founder_name=material.founder_name,
        founder_pin=material.founder_pin,
        etcd=tuple(etcd),
        spec=spec,
        admin_password=read_text(password_file, "password file"),
    )
    write_atomic(target, msgspec.json.encode(parcel))


def unpack(raw: bytes) -> Parcel:
    """The parcel in ``raw``. Raises :class:`InvalidInput`, which repeats nothing of it."""
    try:
        return msgspec.json.decode(raw, type=Parcel)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # What is wrong is not told: the decoder quotes values.
        raise InvalidInput("standard input is not a founding parcel", hint=_REPAIR) from None


async def deliver(raw: bytes, *, etcd_auth: bool = False) -> tuple[bool, bool]:
    """Found the colony from the parcel ``raw``, and guard etcd if wanted. Returns whether either was new.

    Errors as :func:`found` and :func:`guard`.
    """
    parcel = unpack(raw)
    pair = parcel.founder
    credentials = Credentials(ca=parcel.ca.certificate, cert=pair.certificate, key=pair.key)
    async with EtcdClient(list(parcel.etcd), credentials, deadline_s=_ETCD_DEADLINE_S) as client:
        token = await found(
            client,
            Keys(parcel.colony),
            parcel.material(),
            parcel.spec,
            parcel.admin_password,
            now=time.time(),
            token_ttl_s=parcel.token_ttl_s,
        )
        guarded = etcd_auth and await guard(client, Keys(parcel.colony))
    return token is not None, guarded
