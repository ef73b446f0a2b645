# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The CA file of a client follows a rotation: the queen, verified by a CA that is believed, says what is believed now.

The command line does the same. A file that holds other CAs than a colony's is somebody's own, and stays as it is.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._council import AWARE_CA, NamedOpener
from ansible_collections.aware.cluster.plugins.module_utils._input import read_regular

CA_PATH = "/v1/ca"
MAX_BUNDLE = 64 * 1024


def mark_of(bundle: bytes) -> str:
    """Tell one set of CAs from another, as the queen's header ``X-Aware-CA`` does."""
    return hashlib.sha256(bundle).hexdigest()[:32]


def is_behind(path: str | None, headers: dict) -> bool:
    """Whether an answer with ``headers`` says that other CAs are believed than are in ``path``."""
    mark = headers.get("x-aware-ca") or ""
    if not path or not mark or headers.get("x-aware-role") != "queen":
        return False
    try:
        return mark_of(read_regular(path)) != mark and only_colony(ssl.create_default_context(cafile=path))
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False


def follow(connection: Any, answer: Any, opener: Any, left: float) -> None:
    """Believe what the queen who gave ``answer`` believes: fetched by ``opener``, which verifies her, in ``left`` s."""
    path, timeout = connection.ca_path, max(0.05, min(connection.timeout, left))
    if not is_behind(path, answer.headers):
        return
    try:
        response = opener(answer.base + CA_PATH, method="GET", data=None, headers={}, timeout=timeout)
        with response:
            bundle = response.read(MAX_BUNDLE)
    except Exception:  # the answer that told it is good all the same, and the next one tells it again
        return
    if believe(str(path), bundle, answer.headers["x-aware-ca"]) and isinstance(opener, NamedOpener):
        opener.trust(bundle)


def believe(path: str, bundle: bytes, mark: str) -> bool:
    """Put ``bundle`` in place of ``path`` if it is what ``mark`` says; a place that cannot be written stays as it is."""
    try:
        if mark_of(bundle) != mark or not only_colony(ssl.create_default_context(cadata=bundle.decode("ascii"))):
            return False
        _replace(path, bundle)
    except (OSError, ValueError):
        return False
    return True


def only_colony(context: ssl.SSLContext) -> bool:
    """Whether it believes CAs of a colony, and nothing else."""
    names = [dict(part[0] for part in each.get("subject", ())) for each in context.get_ca_certs()]
    return bool(names) and all(name.get("organizationName") == AWARE_CA for name in names)


def _replace(path: str, bundle: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".ca-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(bundle)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
