# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Is what the user says of a cloud fit to be used? openstacksdk takes broken files for missing ones, and some for crashes."""

from __future__ import annotations

import os
import re
import ssl
from typing import Any, Iterable, Mapping
from urllib.parse import urlsplit

from ansible_collections.aware.cluster.plugins.module_utils._input import is_bounded, read_regular
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._plain import kind_of

CLOUDS, SECURE, VENDOR = "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLIENT_VENDOR_FILE"
_WHO = ("username", "user_id", "token", "passcode", "application_credential_id", "application_credential_name")
_SECTIONS = ("cache", "client", "metrics")
_TEXTS = ("profile", "auth_type", "region_name", "cacert", "cert", "key")
_LISTS = ("networks", "regions")


def check_files(cloud: str, candidates: Mapping, environ: Mapping) -> None:
    """Raise CloudError when a file that counts cannot be used, or has no entry ``cloud``, or one that is none.

    ``cloud`` may be empty. ``candidates`` are where openstacksdk looks for each kind of file; the first that exists counts.
    """
    clouds: dict = {}
    paths = [_path(kind, candidates[kind], environ) for kind in (CLOUDS, SECURE)]
    for path in paths:
        found = _clouds(path) if path else {}
        if cloud in found:
            check_entry(found[cloud], "cloud %s in %s" % (cloud, path))
        clouds = dict(found, **clouds)
    entry = clouds.get(cloud)
    vendor = _path(VENDOR, candidates[VENDOR], environ) if isinstance(entry, dict) and entry.get("profile") else None
    if vendor:
        _document(vendor)
    if cloud and entry is None and cloud != environ.get("OS_CLOUD_NAME", "envvars") and not environ.get("OS_AUTH_URL"):
        there = ", ".join(sorted(map(str, clouds))[:20]) or "none"
        places = sorted({os.path.dirname(place) for place in candidates[CLOUDS]})
        where = paths[0] or "clouds.yaml, which is in none of " + ", ".join(places)
        raise CloudError("there is no cloud %.200s in %s%s" % (cloud, where, ": it has " + there if paths[0] else ""))


def _path(kind: str, candidates: Iterable[str], environ: Mapping) -> str | None:
    """The file of this kind that counts: the one the environment names, or the first of the usual places."""
    named = environ.get(kind)
    if named and not os.path.isfile(named):
        raise CloudError(
            "%s names %s, which is %s" % (kind, named, "no file" if os.path.exists(named) else "not there")
        )
    return named or next((place for place in candidates if os.path.isfile(place)), None)


def _clouds(path: str) -> dict:
    """The clouds a file describes."""
    document = _document(path)
    for section in _SECTIONS:
        if section in document and not isinstance(document[section], dict):
            raise CloudError("%s: %s is %s" % (path, section, _no_mapping(document[section])))
    clouds = document.get("clouds", {})
    if not isinstance(clouds, dict):
        raise CloudError("%s: clouds is %s of names to clouds" % (path, _no_mapping(clouds)))
    return clouds


def _no_mapping(value: Any) -> str:
    return "empty, and should be a mapping" if value is None else "not a mapping"


def check_entry(entry: Any, where: str) -> None:
    """Raise CloudError unless ``entry`` may be what clouds.yaml has for a cloud."""
    if not is_bounded(entry):
        raise CloudError("%s is nested too deeply, or holds itself by an alias" % where)
    if not isinstance(entry, dict):
        raise CloudError("%s is not a mapping: it has auth, region_name and so on" % where)
    auth = entry.get("auth", {})
    if not isinstance(auth, dict):
        what = "empty" if auth is None else "not a mapping"
        raise CloudError("%s: auth is %s; it has auth_url, username, password and so on" % (where, what))
    for key in list(entry) + list(auth):
        if not isinstance(key, str):
            raise CloudError("%s: %.80s is no word of a cloud: it is %s, not text" % (where, key, kind_of(key)))
    named = [(name, entry[name]) for name in _TEXTS if name in entry]
    for name, value in named + [("auth." + word, auth[word]) for word in auth]:
        if isinstance(value, (dict, list)):
            raise CloudError("%s: %s is %s, and should be text" % (where, name, kind_of(value)))
    for name in _LISTS:
        if not isinstance(entry.get(name) or [], list):
            raise CloudError("%s: %s is %s, and should be a list" % (where, name, kind_of(entry[name])))
    if any(not isinstance(network, dict) for network in entry.get("networks") or ()):
        raise CloudError("%s: networks is a list of mappings with name, routes_externally and so on" % where)
    if not isinstance(entry.get("profile") or "", str):
        raise CloudError("%s: profile is %s, and should be text" % (where, kind_of(entry["profile"])))
    if "auth_url" in auth:
        check_url(auth["auth_url"], where)


def check_url(url: Any, where: str) -> None:
    """Raise CloudError unless ``url`` can be where the identity service answers. ``where`` begins the sentence."""
    if url is None or url == "":
        raise CloudError("%s: auth_url is empty; it is like https://cloud.example/v3" % where)
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        good = parts.scheme in ("https", "http") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a bracket without its other half, a port that is no number
        good = False
    if not good:
        raise CloudError("%s: auth_url %.200r is not a URL like https://cloud.example/v3" % (where, url))


def _document(path: str) -> dict:
    import yaml  # openstacksdk needs it as well

    try:
        document = yaml.safe_load(read_regular(path).decode("utf-8"))
    except OSError as exc:
        raise CloudError("%s cannot be read: %s" % (path, exc.strerror)) from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        line = ", look at line %d" % (mark.line + 1) if mark else ""
        raise CloudError("%s is not YAML%s" % (path, line)) from exc
    if not is_bounded(document):
        raise CloudError("%s is nested too deeply, or holds itself by an alias" % path)
    if document is not None and not isinstance(document, dict):
        raise CloudError("%s is not a mapping: it begins with `clouds:`" % path)
    return document or {}


def check_settings(config: Any, source: str) -> None:
    """Raise CloudError for files that are not there and for a login that lacks its half. Nothing is sent.

    ``config`` is the openstacksdk's CloudRegion, which has put options, environment and files together.
    """
    verify, cert = config.get_requests_verify_args()
    if isinstance(verify, str):
        _check_authority(verify, source)
    for path in cert if isinstance(cert, (tuple, list)) else [cert]:
        if path and not os.path.isfile(path):
            raise CloudError("there is no client certificate or key %s, with %s" % (path, source))
    auth = config.get_auth_args() or {}
    kind = str(config.config.get("auth_type") or "password")
    if not auth.get("auth_url") and "password" in kind:
        raise CloudError("no auth_url is known, with %s" % source)
    if auth.get("auth_url"):
        check_url(auth["auth_url"], source)
    if "password" in kind and not (auth.get("password") and any(auth.get(word) for word in _WHO)):
        missing = [word for word in ("username", "password") if not auth.get(word)]
        raise CloudError("an auth_url is known but no %s, with %s" % (" and no ".join(missing), source))


def _check_authority(path: str, source: str) -> None:
    if os.path.isdir(path):
        return  # a directory of hashed certificates
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError as exc:
        raise CloudError("CA file %s is not a PEM certificate, with %s" % (path, source)) from exc
    except OSError as exc:
        raise CloudError("CA file %s: %s, with %s" % (path, exc.strerror or exc, source)) from exc


def unknown_word(exc: Exception) -> str:
    """The sentence for a login that has a word its auth_type does not take; "" when that is not what went wrong."""
    found = re.search(r"unexpected keyword argument '(\w+)'", str(exc)) if isinstance(exc, TypeError) else None
    if not found:
        return ""
    word = found.group(1)
    kinds = dict(token="v3token", application_credential="v3applicationcredential")
    fitting = next((kinds[part] for part in sorted(kinds) if word.startswith(part)), "")
    hint = ": set auth_type to %s" % fitting if fitting else ""
    return "auth has %s, which its auth_type (password when none is named) does not take%s" % (word, hint)
