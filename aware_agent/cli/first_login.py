"""The first login to a colony that founded itself: the founding key proves who asks, and admin gets a password.

CA and colony secret of the first generation are derived from the founding key. Its holder therefore knows whom to
believe without having seen a node, and can sign an access token that holds until the first rotation.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aware_agent.agent.found import ADMIN
from aware_agent.cli.client import Gateway
from aware_agent.cli.context import OWN, Context, beside, config_home, load_context
from aware_agent.cli.errors import NotLoggedIn, OutcomeUnknown, Unreachable
from aware_agent.cli.files import read_secret_text
from aware_agent.cli.paths import at
from aware_agent.colony.errors import Conflict
from aware_agent.security import pki
from aware_agent.security.files import DIRECTORY_MODE, PUBLIC_MODE, read_public, read_secret, write_atomic
from aware_agent.security.founding_key import FoundingKey, parse_founding_key
from aware_agent.security.jwt import BARE_TTL_S, TokenSigner, token_key
from aware_agent.security.password import ensure_password
from aware_agent.security.roles import Role

CA_FILE = "ca.crt"
ANSWER_S = 5.0  # longest wait for one answer


class Opened(msgspec.Struct, frozen=True):
    """What is there now."""

    colony: str
    context: Path
    password_file: Path
    ca_pin: str  # of the CA that is derived from the key


def open_colony(
    key_file: Path, endpoints: Sequence[str], context: Path, password_file: Path | None, end: float
) -> Opened:
    """Write a context for ``endpoints``, set the password of admin, and log in. Nobody is asked after ``end``, a
    monotonic time.

    When the key is refused and this was done with it before, what was written then is used. Raises InvalidInput for a
    file that holds no founding key, Conflict when another colony's context is there, NotLoggedIn when the colony's
    secret is not this key's (any more) or somebody else set the password, Unreachable.
    """
    key = parse_founding_key(read_secret_text(key_file, "founding key"))
    _check_free(context, key.colony)
    passwords = password_file or beside(context, "admin.password")
    passwords.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    # Another certificate of the same key than the colony's own: what a verifier compares is name and key.
    ca = pki.create_ca(key.colony, time.time(), key=key.ca_key()).certificate
    opened = Opened(key.colony, context, passwords, pki.ca_pin(ca))
    try:
        _use_key(key, ca, endpoints, opened, end)
    except (NotLoggedIn, Unreachable) as refusal:
        if isinstance(refusal, OutcomeUnknown) or not _opened_before(key, opened):
            raise
        try:
            _log_in(opened, end)
        except Unreachable:
            raise refusal from None  # of two reasons that which tells of the key
        return opened
    _log_in(opened, end)
    return opened


def gateway_until(context: Context, end: float) -> Gateway:
    """A client that neither looks for the queen nor waits for an answer for longer than until ``end``, a monotonic
    time, in whole seconds: even when that is over, who is asked at all has one to answer.
    """
    left = max(1.0, math.ceil(end - time.monotonic()))
    client = Gateway(context, timeout_s=min(ANSWER_S, left))
    client.deadline_s = min(client.deadline_s, left)
    return client


def login(client: Gateway, password_file: Path) -> None:
    """Log in as admin with the password in that file, which was admin's. Raises NotLoggedIn when it no longer is."""
    try:
        client.login(ADMIN, _password(password_file))
    except NotLoggedIn as error:
        raise NotLoggedIn(
            f"somebody else set the password of {ADMIN} meanwhile, by opening this colony or with aware users set: the "
            f"one in {password_file} is not good any more",
            hint="ask who else has the founding key; with their password: aware login",
        ) from error


def _use_key(key: FoundingKey, ca: bytes, endpoints: Sequence[str], opened: Opened, end: float) -> None:
    # What is there stays as it is until the colony has answered.
    with tempfile.TemporaryDirectory() as trying:
        first = Path(trying) / "context.json"
        _write_context(key, endpoints, first, ca)
        _set_password(key, first, _password(opened.password_file), end)
        # With the answer came what is believed now: more than the key knows when a rotation is under way.
        _write_context(key, endpoints, opened.context, read_public(beside(first, CA_FILE)) or ca)


def _opened_before(key: FoundingKey, opened: Opened) -> bool:
    """Whether context and password were made with this very key, and are there."""
    made = read_public(_mark(opened.context)) == key.id.encode()
    return made and opened.context.exists() and opened.password_file.exists()


def _log_in(opened: Opened, end: float) -> None:
    with gateway_until(load_context(opened.context, {}), end) as client:
        login(client, opened.password_file)


def default_context() -> Path:
    """This user's own. Raises Conflict for a user without a home directory."""
    home = config_home(os.environ)
    if home is None:
        raise Conflict("this user has no home directory", hint="say where the context goes: --context FILE")
    path = home / OWN
    return path.resolve() if path.is_symlink() else path  # the saved context that is in use


def _set_password(key: FoundingKey, context: Path, password: str, end: float) -> None:
    signer = TokenSigner(key.colony, token_key(key.colony, key.colony_secret))
    token = signer.issue(ADMIN, Role.SECURITY_ADMIN, now=time.time(), ttl_s=BARE_TTL_S).token
    body = {"role": Role.SECURITY_ADMIN.value, "password": password}
    with gateway_until(msgspec.structs.replace(load_context(context, {}), given_token=token), end) as founder:
        try:
            founder.request("PUT", at("v1", "users", ADMIN), body=body)
        except NotLoggedIn as error:
            raise NotLoggedIn(
                "the colony does not know this founding key (any more): a rotation makes it worthless",
                hint="log in with a password: aware login",
            ) from error
        except Unreachable as error:
            raise Unreachable(
                error.message,
                hint="a running colony that does not know this key has another, or was rotated since: log in with a "
                "context that names its CA",
            ) from error


def _check_free(path: Path, colony: str) -> None:
    if path.exists() and (kept := load_context(path, {}).colony) != colony:
        raise Conflict(f"{path} is of colony {kept!r} and was left alone", hint="name another: --context FILE")


def _write_context(key: FoundingKey, endpoints: Sequence[str], path: Path, ca: bytes) -> None:
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    authority, token = beside(path, CA_FILE), beside(path, "token")
    document = {
        "colony": key.colony,
        "endpoints": list(endpoints),
        "ca_file": authority.name,
        "token_file": token.name,
    }
    write_atomic(authority, ca, PUBLIC_MODE)
    write_atomic(_mark(path), key.id.encode(), PUBLIC_MODE)
    write_atomic(path, msgspec.json.format(msgspec.json.encode(document)) + b"\n")


def _mark(context: Path) -> Path:
    """Where the (public) id of the founding key is kept with which ``context`` was made."""
    return context.with_name(f"{context.stem}.founding-key-id")


def _password(path: Path) -> str:
    ensure_password(path)
    return (read_secret(path) or b"").decode().strip()
