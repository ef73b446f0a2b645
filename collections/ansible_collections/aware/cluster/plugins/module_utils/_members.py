# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The members a gateway named last: hosts that may be asked when no endpoint answers.

They lie beside the context file, where the command line and the inventory plugin read and write them too.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Iterable

from ansible_collections.aware.cluster.plugins.module_utils._input import json_of, read_regular


def members_path(context: str) -> str:
    """The file of the context file ``context``."""
    return "%s.members.json" % os.path.splitext(context)[0]


def load_members(context: str) -> tuple:
    """What was remembered; nothing when there is no file or it is damaged. Nothing of it is checked yet."""
    if not context:
        return ()
    try:
        found = json_of(read_regular(members_path(context)))
    except (OSError, ValueError):
        return ()
    return tuple(url for url in found if isinstance(url, str)) if isinstance(found, list) else ()


def save_members(context: str, members: Iterable) -> None:
    """Replace the file as a whole. A place that cannot be written only means that they are forgotten."""
    wanted = sorted(set(members))
    if not context or not wanted or tuple(wanted) == load_members(context):
        return
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(members_path(context)), prefix=".members-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(wanted, stream)
        os.replace(temporary, members_path(context))
    except OSError:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
