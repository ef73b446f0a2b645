"""The context file: which colony, which ways in, whom to trust, and where the access token lies."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from aware_agent.cli.errors import ContextError

LOCAL = Path(".aware") / "context.json"
_HOST = re.compile(r"[a-z0-9._:-]+")
_TOKEN = re.compile(r"[\x21-\x7e]*")  # what may stand in a header line


class _File(msgspec.Struct, frozen=True, kw_only=True):
    colony: str
    endpoints: list[str]
    ca_file: str
    token_file: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded context file with absolute paths."""

    path: Path
    colony: str
    endpoints: tuple[str, ...]
    ca_file: Path
    token_file: Path

    @property
    def refresh_file(self) -> Path:
        """Where the refresh token lies, beside the access token."""
        return self.token_file.with_name(self.token_file.name + ".refresh")

    @property
    def members_file(self) -> Path:
        """Which nodes were members at the last complete answer."""
        return self.path.with_name(self.path.stem + ".members.json")

    def token(self) -> str:
        """The access token, or "" when there is none."""
        return _line(self.token_file)

    def refresh_token(self) -> str:
        """The refresh token, or "" when there is none."""
        return _line(self.refresh_file)


def _line(path: Path) -> str:
    try:
        text = path.read_bytes().decode("latin-1").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ContextError(f"cannot read token file {path}: {error.strerror}", hint="aware login") from error
    if not _TOKEN.fullmatch(text):
        raise ContextError(f"token file {path} holds no token", hint="aware login")
    return text


def origin(url: str) -> str:
    """``https://host:port`` in one spelling, or "" when ``url`` is not an https address.

    Two spellings of one host compare equal, so that this text alone decides where a token goes.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme != "https" or parts.username is not None or not _HOST.fullmatch(host):
        return ""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def find_context(option: Path | None = None) -> Path:
    """The context file to use: option, AWARE_CONTEXT, ``.aware`` here or above, then the user's own."""
    named = option or (Path(os.environ["AWARE_CONTEXT"]) if os.environ.get("AWARE_CONTEXT") else None)
    if named:
        return named
    here = Path.cwd()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    candidates = [directory / LOCAL for directory in (here, *here.parents)] + [config / "aware" / "context.json"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ContextError("no context file found", hint="make demo starts a colony; or use --context FILE")


def load_context(option: Path | None = None) -> Context:
    """Find and read the context. Raises :class:`ContextError` that names the file and the field."""
    path = find_context(option).absolute()
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise ContextError(
            f"cannot read context {path}: {error.strerror}", hint="make demo, or --context FILE"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContextError(f"context {path} is not usable: {error}") from error
    if not raw.endpoints:
        raise ContextError(f"context {path} has no endpoints")
    for url in raw.endpoints:
        if not origin(url):
            raise ContextError(f"context {path}: endpoint {url!r} is not https", hint="tokens travel over TLS only")
    endpoints = tuple(dict.fromkeys(origin(url) for url in raw.endpoints))
    return Context(
        path=path,
        colony=raw.colony,
        endpoints=endpoints,
        ca_file=path.parent / raw.ca_file,
        token_file=path.parent / raw.token_file,
    )
