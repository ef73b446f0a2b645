# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The outermost boundary of every module: it leaves with a result, or with one sentence, and never with a traceback."""

from __future__ import annotations

import traceback
from typing import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._reasons import unforeseen


def leave_with(module: AnsibleModule, work: Callable, told: Callable | None = None) -> None:
    """Leave with the result of ``work()``, a dictionary; with ``failed`` in it through fail_json.

    ``told`` may turn an exception that was raised on purpose into the dictionary for fail_json, or return None.
    """
    try:
        result = work()
    except Exception as exc:
        known = told(exc) if told else None
        if known is None:
            known = dict(msg=unforeseen(exc), exception=traceback.format_exc())
        module.fail_json(**known)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
