"""Which colony, which ways in, whom to trust, and where the access token lies: environment, then context file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from aware_agent.cli.errors import ContextError
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.urls import origin
from aware_agent.security.regular import read_regular

LOCAL = Path(".aware") / "context.json"
SAVED = Path("aware") / "contexts"  # below the user's settings: contexts with names, one NAME.json each
OWN = Path("aware") / "context.json"  # the one in use there; a link to one of them once: aware context use
CONTEXT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_DEMO, _PLAYED = ".local-colony", "played.json"  # the first file a demo makes, and what a whole play of it leaves
ENDPOINTS, TOKEN, TOKEN_FILE, CA_PATH = "AWARE_ENDPOINTS", "AWARE_TOKEN", "AWARE_TOKEN_FILE", "AWARE_CA_PATH"
_USE_ANOTHER = "aware context list, then aware context use NAME"
NAMES = ("AWARE_CONTEXT", ENDPOINTS, TOKEN, TOKEN_FILE, CA_PATH)  # what the environment may say of a colony
_TOKEN = re.compile(r"[\x21-\x7e]*")  # what may stand in a header line


class _File(msgspec.Struct, frozen=True, kw_only=True):
    colony: str
    endpoints: list[str]
    ca_file: str
    token_file: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a colony: a context file with absolute paths, under what the environment says."""

    path: Path | None  # None: the environment says all
    colony: str
    endpoints: tuple[str, ...]
    ca_file: Path | None  # None: the authorities this system trusts
    token_file: Path | None
    given_token: str = ""  # by the environment; it wins over the file

    def __repr__(self) -> str:
        """Without the token."""
        return f"Context(path={self.path}, endpoints={self.endpoints})"

    @property
    def origin(self) -> str:
        """Where the endpoints were read, for the user."""
        return ENDPOINTS if self.path is None else str(self.path)

    @property
    def refresh_file(self) -> Path | None:
        """Where the refresh token lies, beside the access token."""
        return self.token_file and self.token_file.with_name(self.token_file.name + ".refresh")

    @property
    def members_file(self) -> Path | None:
        """Which nodes were members at the last complete answer; the collection reads and writes it too."""
        return self.path and self.path.with_name(self.path.stem + ".members.json")

    @property
    def half_made(self) -> bool:
        """Whether it is a demo's whose first play has not ended: nobody has logged in to it yet."""
        if self.path is None or self.token():
            return False
        return (self.path.parent / _DEMO).is_file() and not (self.path.parent / _PLAYED).is_file()

    def token(self) -> str:
        """The access token, or "" when there is none."""
        return self.given_token or _line(self.token_file)

    def refresh_token(self) -> str:
        """The refresh token, or "" when there is none."""
        return "" if self.given_token else _line(self.refresh_file)


def _line(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = read_regular(path).decode("latin-1").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ContextError(f"cannot read token file {path}: {error.strerror}", hint="aware login") from error
    if not _TOKEN.fullmatch(text):
        raise ContextError(f"token file {path} holds no token", hint="aware login")
    return text


def find_context(option: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The context file to use: option, AWARE_CONTEXT, ``.aware`` here or above, then the user's own.

    The first two may also be the name of a saved context.
    """
    said = str(option) if option else environment.get("AWARE_CONTEXT", "")
    if said:
        return saved_context(said, environment) or _named(said, option, environment)
    here = Path.cwd()
    own = config_home(environment)
    candidates = [directory / LOCAL for directory in (here, *here.parents)]
    for candidate in [*candidates, own / OWN] if own else candidates:
        if candidate.is_file():
            # What is remembered of a colony lies beside its own file, not beside a link that changes.
            return candidate.resolve() if own and candidate == own / OWN else candidate
    if own and (own / OWN).is_symlink():
        raise ContextError(f"the context in use, {(own / OWN).resolve()}, is not there any more", hint=_USE_ANOTHER)
    raise ContextError("no context file found", hint="make demo starts a colony; or use --context FILE")


def _named(said: str, option: Path | None, environment: Mapping[str, str]) -> Path:
    """The file somebody named that is no saved context. Raises ContextError for what can only be a mistyped name."""
    path = option or _path(said) or Path(said)
    if CONTEXT_NAME.fullmatch(said) and not os.path.lexists(path) and (known := saved_names(environment)):
        from aware_agent.cli.suggest import did_you_mean

        raise ContextError(
            f"there is neither a saved context nor a file {said!r}{did_you_mean(said, known)}",
            hint="aware context list",
        )
    return path


def saved_names(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names of the saved contexts, in order; none when their directory cannot be read."""
    own = config_home(environment)
    try:
        found = sorted(path.stem for path in (own / SAVED).glob("*.json")) if own else []
    except OSError:
        return []
    return [name for name in found if is_context_name(name)]


def is_context_name(name: str) -> bool:
    """Whether a saved context may be called so. ``NAME.members.json`` is what is remembered of another one."""
    return bool(CONTEXT_NAME.fullmatch(name)) and not name.endswith(".members")


def saved_context(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file of the saved context of that name; None when there is none."""
    own = config_home(environment)
    if own is None or not is_context_name(name):
        return None
    path = own / SAVED / f"{name}.json"
    return path if path.is_file() else None


def beside(context: Path, name: str) -> Path:
    """A file ``name`` of a context: contexts that lie in one directory have files of their own."""
    return context.with_name(name if context.stem == OWN.stem else f"{context.stem}.{name}")


def config_home(environment: Mapping[str, str]) -> Path | None:
    """Where this user's settings are; None for a user without a home directory."""
    if os.path.isabs(environment.get("XDG_CONFIG_HOME", "")):  # its specification wants others ignored
        return Path(environment["XDG_CONFIG_HOME"])
    try:
        return Path.home() / ".config"
    except RuntimeError:
        return None


def load_context(option: Path | None = None, environment: Mapping[str, str] = os.environ) -> Context:
    """What the environment says over what the context file says; docs/settings.md has the table.

    A file is looked for in the usual places only when the environment names no endpoints. Raises
    :class:`ContextError` that names the file and the field.
    """
    if option == Path():  # what --context "" becomes
        raise ContextError("--context names no file", hint="leave it out, or name a saved context or a context file")
    endpoints = _listed(environment.get(ENDPOINTS, ""))
    path = None
    if option or environment.get("AWARE_CONTEXT") or not endpoints:
        path = Path(os.path.abspath(find_context(option, environment)))
    raw = _read(path) if path else None
    where = ENDPOINTS if endpoints else f"context {path}"
    said = environment.get(TOKEN, "")
    token = said.strip()
    if not _TOKEN.fullmatch(token) or (said and not token):
        raise ContextError(f"{TOKEN} holds no token", hint="aware login makes one")
    return Context(
        path=path,
        colony=raw.colony if raw else "",
        endpoints=_origins(endpoints or (raw.endpoints if raw else []), where),
        ca_file=_path(environment.get(CA_PATH)) or _beside(path, raw.ca_file if raw else "", "ca_file"),
        token_file=_path(environment.get(TOKEN_FILE)) or _beside(path, raw.token_file if raw else "", "token_file"),
        given_token=token,
    )


def _listed(text: str) -> list[str]:
    """The endpoints of a variable. One that is set and names none was meant to: nobody else's are taken for it."""
    endpoints = [url.strip() for url in text.split(",") if url.strip()]
    if text and not endpoints:
        raise ContextError(f"{ENDPOINTS} has no endpoints", hint="https://host:port, with commas between")
    return endpoints


def _read(path: Path) -> _File:
    try:
        raw = read_regular(path)
    except OSError as error:
        raise ContextError(
            f"cannot read context {path}: {error.strerror}", hint="make demo, or --context FILE"
        ) from error
    try:
        return from_json(raw, _File)
    except UNDECODABLE as error:
        raise ContextError(f"context {path} is not usable: {error}") from error


def _origins(urls: list[str], where: str) -> tuple[str, ...]:
    if not urls:
        raise ContextError(f"{where} has no endpoints")
    for url in urls:
        if not origin(url):
            # Not the whole text: it may carry a password.
            raise ContextError(
                f"{where}: endpoint {url.rpartition('@')[2]!r} is not https://host:port",
                hint="a host or address, a port of 1 to 65535, no user name; tokens travel over TLS only",
            )
    return tuple(dict.fromkeys(origin(url) for url in urls))


def _path(text: str | None) -> Path | None:
    """A path as a user wrote it: relative to the working directory, ``~`` is a home directory."""
    try:
        return Path(os.path.abspath(Path(text).expanduser())) if text else None
    except RuntimeError as error:
        raise ContextError(
            f"{text}: there is no such home directory", hint="set HOME, or name the file in full"
        ) from error


def _beside(path: Path | None, name: str, field: str) -> Path | None:
    """A file the context names, relative to the context."""
    if path is None or not name:
        return None
    if not name.isprintable():
        raise ContextError(f"context {path} is not usable: {field} is not the name of a file")
    return _path(str(path.parent / name) if not name.startswith("~") else name)
