# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Where a colony is and how to be let in: explicit options first, the context file for the rest."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Mapping
from urllib.parse import urlsplit

_LABEL = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")


class ContextError(Exception):
    """The options or the context file do not say how to reach a colony. One line, never with a secret in it."""


@dataclass(frozen=True)
class Connection:
    """All a client needs. The token never shows in a representation of this object."""

    endpoints: tuple
    token: str
    ca_path: str | None = None
    validate_certs: bool = True
    colony: str = ""
    context: str = ""
    timeout: float = 5.0
    deadline: float = 15.0

    def __repr__(self) -> str:
        return "Connection(endpoints=%r, ca_path=%r)" % (self.endpoints, self.ca_path)


def normal_url(url: Any) -> str:
    """Return ``scheme://host:port`` in one spelling, or raise ContextError.

    A base URL carries nothing else: no user, path, query or fragment, so that two spellings of one
    member compare equal and nothing but the host decides where the token goes.
    """
    text = str(url).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise ContextError("%r is not a URL" % text[:200]) from exc
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not _is_host(host):
        raise ContextError("%r is not a base URL like https://192.0.2.7:7443" % text[:200])
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        raise ContextError("%r must be a base URL: scheme, host and port only" % _without_user(text)[:200])
    shown = "[%s]" % host if ":" in host else host
    return "%s://%s:%d" % (parts.scheme, shown, port or (443 if parts.scheme == "https" else 80))


def _is_host(host: str) -> bool:
    if ":" in host:
        return bool(re.match(r"^[0-9a-f:.]+$", host))
    return len(host) <= 253 and bool(_LABEL.match(host))


def _without_user(text: str) -> str:
    """A URL may hold a password before the @; error texts must not."""
    return re.sub(r"//[^/]*@", "//...@", text)


def find_context(start: str | None = None) -> str | None:
    """Return the context file in force where nobody named one: environment, .aware above here, home."""
    named = os.environ.get("AWARE_CONTEXT")
    if named:
        return os.path.abspath(os.path.expanduser(named))
    here = os.path.abspath(start or os.getcwd())
    while True:
        candidate = os.path.join(here, ".aware", "context.json")
        if os.path.isfile(candidate):
            return candidate
        parent = os.path.dirname(here)
        if parent == here:
            break
        here = parent
    home = os.path.expanduser("~/.config/aware/context.json")
    return home if os.path.isfile(home) else None


def read_context(path: str) -> dict:
    """Return the context document with its file names made absolute. Raises ContextError."""
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream)
    except OSError as exc:
        raise ContextError("context file %s: %s" % (path, exc.strerror or exc)) from exc
    except ValueError as exc:
        raise ContextError("context file %s is not JSON" % path) from exc
    if not isinstance(document, dict) or not isinstance(document.get("endpoints"), list):
        raise ContextError("context file %s has no list of endpoints" % path)
    folder = os.path.dirname(os.path.abspath(path))
    for name in ("ca_file", "token_file"):
        if document.get(name):
            document[name] = os.path.join(folder, os.path.expanduser(str(document[name])))
    return document


def connection_from(options: Mapping, base_dir: str | None = None, search: bool = True) -> Connection:
    """Merge explicit options over the context file. Raises ContextError.

    ``base_dir`` is what relative file names are relative to (the folder of an inventory file). With ``search``
    the usual places are looked at when neither endpoints nor a context are named.
    """
    named = options.get("context")
    endpoints = options.get("endpoints") or []
    path = _resolve(named, base_dir) if named else (find_context() if search and not endpoints else None)
    context = read_context(path) if path else {}
    endpoints = endpoints or context.get("endpoints") or []
    if not endpoints:
        raise ContextError(
            "no gateway is known: set endpoints or context (log in with `aware login` to make a context file)"
        )
    # Credentials of a context belong to its own colony: other endpoints must bring their own.
    return Connection(
        endpoints=tuple(dict.fromkeys(normal_url(url) for url in endpoints)),
        token=_token(options, context, base_dir),
        ca_path=_resolve(options.get("ca_path"), base_dir) or context.get("ca_file"),
        validate_certs=options.get("validate_certs") is not False,
        colony=str(context.get("colony") or ""),
        context=path or "",
        timeout=_positive(options, "timeout", 5.0),
        deadline=_positive(options, "deadline", 15.0),
    )


def _resolve(name: Any, base_dir: str | None) -> str | None:
    if not name:
        return None
    return os.path.abspath(os.path.join(base_dir or os.getcwd(), os.path.expanduser(str(name))))


def _token(options: Mapping, context: Mapping, base_dir: str | None) -> str:
    if options.get("token"):
        return _clean_token(str(options["token"]), "option token")
    path = _resolve(options.get("token_file"), base_dir) or context.get("token_file")
    if not path:
        raise ContextError("no access token is known: set token, token_file or context")
    try:
        with open(path, encoding="utf-8") as stream:
            return _clean_token(stream.read(16384), "token file %s" % path)
    except OSError as exc:
        raise ContextError("token file %s: %s (log in with `aware login`)" % (path, exc.strerror or exc)) from exc
    except UnicodeDecodeError as exc:
        raise ContextError("token file %s is not text" % path) from exc


def _clean_token(text: str, origin: str) -> str:
    """A token becomes a header: refuse what could end the header line. The text itself is never shown."""
    token = text.strip()
    if not token or not re.match(r"^[\x21-\x7e]+$", token):
        raise ContextError("%s holds no usable access token" % origin)
    return token


def _positive(options: Mapping, name: str, default: float) -> float:
    value = options.get(name)
    value = default if value is None else float(value)
    if not 0 < value <= 3600:
        raise ContextError("%s must be more than 0 and at most 3600 seconds, not %g" % (name, value))
    return value
