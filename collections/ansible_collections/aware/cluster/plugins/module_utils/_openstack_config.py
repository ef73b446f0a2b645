# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Is what the user says of a cloud fit to be used? openstacksdk takes broken files for missing ones, and some for crashes."""

from __future__ import annotations

import os
import ssl
from typing import Any, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._input import is_bounded, read_regular
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError

NAMED = "OS_CLIENT_CONFIG_FILE"
_WHO = ("username", "user_id", "token", "passcode", "application_credential_id", "application_credential_name")


def check_files(cloud: Any, candidates: Iterable[str], environ: Any) -> None:
    """Raise CloudError when the clouds.yaml that counts cannot be used, or its entry ``cloud`` cannot.

    ``candidates`` are the places openstacksdk looks at; the first that exists counts.
    """
    named = environ.get(NAMED)
    if named and not os.path.isfile(named):
        raise CloudError("%s names %s, which is %s" % (NAMED, named, "no file" if os.path.exists(named) else "not there"))
    path = named or next((place for place in candidates if os.path.isfile(place)), None)
    if path is None:
        return
    document = _document(path)
    clouds = document.get("clouds")
    if clouds is not None and not isinstance(clouds, dict):
        raise CloudError("%s: clouds is not a mapping of names to clouds" % path)
    if isinstance(cloud, str) and isinstance(clouds, dict) and cloud in clouds:
        check_entry(clouds[cloud], "cloud %s in %s" % (cloud, path))


def check_entry(entry: Any, where: str) -> None:
    """Raise CloudError unless ``entry`` may be what clouds.yaml has for a cloud."""
    if not is_bounded(entry):
        raise CloudError("%s is nested too deeply, or holds itself by an alias" % where)
    if not isinstance(entry, dict):
        raise CloudError("%s is not a mapping: it has auth, region_name and so on" % where)
    if "auth" in entry and not isinstance(entry["auth"], dict):
        what = "empty" if entry["auth"] is None else "not a mapping"
        raise CloudError("%s: auth is %s; it has auth_url, username, password and so on" % (where, what))


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
    url = auth.get("auth_url")
    if url and not str(url).startswith(("https://", "http://")):
        raise CloudError("auth_url %.200r is not a URL, with %s" % (url, source))
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
