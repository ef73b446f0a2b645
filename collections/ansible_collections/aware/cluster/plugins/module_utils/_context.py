# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Where a colony is and how to be let in: options, then the environment, then the context file."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from typing import Any, Mapping
from urllib.parse import urlsplit

from ansible_collections.aware.cluster.plugins.module_utils._input import json_of, read_regular
from ansible_collections.aware.cluster.plugins.module_utils._members import load_members

# What may be said of a colony, and the environment variables that say it.
ENVIRONMENT = dict(
    (name, "AWARE_%s" % name.upper()) for name in ("context", "endpoints", "token", "token_file", "ca_path")
)
_SAVED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")  # what a saved context may be called
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
    members: tuple = ()  # remembered from the last answer; never more than hosts to ask
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
        raise ContextError("%r is not a base URL like https://192.0.2.7:8443" % text[:200])
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


def user_folder(variable: str, default: str, environ: Mapping) -> str | None:
    """Return the folder an XDG variable names, or ``default`` in the home directory; None when there is no home."""
    if os.path.isabs(environ.get(variable) or ""):  # the specification wants others ignored
        return environ[variable]
    try:
        return expanded("~/%s" % default)
    except ContextError:
        return None


def expanded(text: str) -> str:
    """Return ``text`` with ``~`` replaced. Raises ContextError where Python would make a directory called ``~``."""
    path = os.path.expanduser(text)
    if path.startswith("~"):
        raise ContextError("%s: there is no such home directory (set HOME, or name the file in full)" % text)
    if "\0" in path:
        raise ContextError("%r is not the name of a file" % path[:200])
    return path


def working_directory() -> str:
    """Where relative names of files begin. Raises ContextError when somebody removed it."""
    try:
        return os.getcwd()
    except FileNotFoundError as exc:
        raise ContextError("the working directory is not there any more: cd to one that is") from exc


def find_context(environ: Mapping | None = None) -> str | None:
    """Return the context file in force where nobody named one: .aware here or above, then the user's own."""
    environ = os.environ if environ is None else environ
    here = working_directory()
    while True:
        candidate = os.path.join(here, ".aware", "context.json")
        if os.path.isfile(candidate):
            return candidate
        parent = os.path.dirname(here)
        if parent == here:
            break
        here = parent
    folder = user_folder("XDG_CONFIG_HOME", ".config", environ)
    own = os.path.join(folder, "aware", "context.json") if folder else ""
    # What is remembered of a colony lies beside its own file, not beside the link that `aware context use` changes.
    return os.path.realpath(own) if os.path.isfile(own) else None


def saved_context(name: str, environ: Mapping) -> str | None:
    """Return the file of the context that ``aware context add`` saved under a name; None when there is none."""
    folder = user_folder("XDG_CONFIG_HOME", ".config", environ)
    if folder is None or not _SAVED.match(name) or name.endswith(".members"):
        return None
    path = os.path.join(folder, "aware", "contexts", "%s.json" % name)
    return path if os.path.isfile(path) else None


def read_context(path: str) -> dict:
    """Return the context document with its file names made absolute. Raises ContextError."""
    try:
        raw = read_regular(path)
    except (OSError, ValueError) as exc:
        raise ContextError("context file %s: %s" % (path, getattr(exc, "strerror", None) or exc)) from exc
    try:
        document = json_of(raw)
    except ValueError as exc:
        raise ContextError("context file %s is not JSON" % path) from exc
    if not isinstance(document, dict) or not isinstance(document.get("endpoints"), list):
        raise ContextError("context file %s has no list of endpoints" % path)
    folder = os.path.dirname(os.path.abspath(path))
    for name in ("ca_file", "token_file"):
        if document.get(name):
            document[name] = os.path.join(folder, expanded(str(document[name])))
    return document


def _listed(text: str) -> list:
    """The endpoints of a variable. One that is set and names none was meant to: nobody else's are taken for it."""
    endpoints = [url.strip() for url in text.split(",") if url.strip()]
    if text and not endpoints:
        raise ContextError("environment variable %s has no endpoints" % ENVIRONMENT["endpoints"])
    return endpoints


class _Layers:
    """What was said of a colony, by whom: the first to name something wins. Docs: settings.md has the table."""

    def __init__(self, options: Mapping, base_dir: str | None, environ: Mapping, settings: Mapping) -> None:
        said = dict((name, environ.get(variable)) for name, variable in ENVIRONMENT.items())
        said["endpoints"] = _listed(said["endpoints"] or "")
        here = working_directory()
        self._layers = [
            (options, base_dir or here, "option %s"),
            (said, here, "environment variable AWARE_%s"),
            (settings, here, "setting %s"),
        ]

    def value(self, name: str) -> Any:
        """The first that is said."""
        return next((values[name] for values, base, label in self._layers if values.get(name)), None)

    def path(self, name: str) -> str | None:
        """The same for a file: relative to where it was said."""
        for values, base, label in self._layers:
            if values.get(name):
                return os.path.abspath(os.path.join(base, expanded(str(values[name]))))
        return None

    def token(self, context: Mapping) -> str:
        """The token of the first who names one, or a file with one; the context comes last. Raises ContextError."""
        for values, base, label in self._layers:
            if values.get("token"):
                where = label % ("TOKEN" if "variable" in label else "token")
                return _clean_token(str(values["token"]), where)
            if values.get("token_file"):
                return _token_in(os.path.abspath(os.path.join(base, expanded(str(values["token_file"])))))
        if context.get("token_file"):
            return _token_in(context["token_file"])
        raise ContextError("no access token is known: set token, token_file or context")


def connection_from(
    options: Mapping, base_dir: str | None = None, environ: Mapping | None = None, settings: Mapping | None = None
) -> Connection:
    """Merge options over the environment, over ``settings`` (of ansible.cfg), over the context file. Raises ContextError.

    ``base_dir`` is what relative file names of options are relative to (the folder of an inventory file); those of
    others are relative to the working directory. The usual places of a context are looked at only when nobody names
    endpoints or a context.
    """
    environ = os.environ if environ is None else environ
    said = _Layers(options, base_dir, environ, settings or {})
    endpoints = said.value("endpoints") or []
    # Credentials of a context that lies about belong to its own colony: other endpoints must bring their own.
    path = saved_context(str(said.value("context") or ""), environ) or said.path("context")
    path = path or (None if endpoints else find_context(environ))
    context = read_context(path) if path else {}
    endpoints = endpoints or context.get("endpoints") or []
    if not endpoints:
        raise ContextError(
            "no gateway is known: set endpoints or context (log in with `aware login` to make a context file)"
        )
    validate = options.get("validate_certs") is not False
    return Connection(
        endpoints=tuple(dict.fromkeys(normal_url(url) for url in endpoints)),
        token=said.token(context),
        ca_path=said.path("ca_path") or context.get("ca_file"),
        validate_certs=validate,
        colony=str(context.get("colony") or ""),
        context=path or "",
        members=load_members(path) if path and validate else (),
        timeout=_positive(options, "timeout", 5.0),
        deadline=_positive(options, "deadline", 15.0),
    )


def check_authority(connection: Connection) -> None:
    """Raise ContextError unless the CA file can be used: what a request would say names neither file nor reason."""
    path = connection.ca_path
    if not path or not connection.validate_certs:
        return
    try:
        read_regular(path)  # OpenSSL would wait for a pipe
        ssl.create_default_context(cafile=path)
    except ssl.SSLError as exc:
        raise ContextError("CA file %s is not a PEM certificate" % path) from exc
    except OSError as exc:
        raise ContextError("CA file %s: %s" % (path, exc.strerror or exc)) from exc


def _token_in(path: str) -> str:
    try:
        return _clean_token(read_regular(path).decode("utf-8"), "token file %s" % path)
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
