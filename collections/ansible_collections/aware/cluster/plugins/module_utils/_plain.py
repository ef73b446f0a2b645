# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Values of users, judged before Ansible's conversions: true is no number, and a list is no mapping. Pure.

Ansible makes 1 of true and text of a list, and where it cannot it names its own classes.
"""

from __future__ import annotations

import sys
from typing import Any, Mapping

_WANTED = dict(
    dict="a mapping", list="a list", int="a whole number", float="a number", str="text", bool="true or false"
)


def kind_of(value: Any) -> str:
    """Return what a value is, in the words of YAML."""
    if value is None:
        return "empty"
    for kinds, word in (
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a number"),
        ((str, bytes), "text"),
        (Mapping, "a mapping"),
        ((list, tuple, set), "a list"),
    ):
        if isinstance(value, kinds):
            return word
    return "a date" if hasattr(value, "isoformat") else "something else"


def misfit(spec: Mapping, values: Mapping, where: str = "", text_numbers: bool = False) -> str:
    """Return in one sentence which value is not of the type that an argument spec wants; an empty string when all are.

    With ``text_numbers`` a number may come as text, as it does out of a template.
    """
    for name, entry in spec.items():
        value = values.get(name)
        if value is None:
            continue
        wanted, path = entry.get("type", "str"), where + name
        if not _fits(wanted, value, text_numbers):
            shown = " (%.40s)" % value if isinstance(value, (int, float)) else ""
            return "%s must be %s, not %s%s" % (path, _WANTED.get(wanted, wanted), kind_of(value), shown)
        wrong = _inside(entry, value, path, text_numbers)
        if wrong:
            return wrong
    return ""


def _inside(entry: Mapping, value: Any, path: str, text_numbers: bool) -> str:
    """The same for the items of a list and the options of a mapping."""
    elements, inner = entry.get("elements"), entry.get("options")
    if elements:
        items = dict(("%d" % number, item) for number, item in enumerate(value))
        return misfit(
            dict((name, dict(entry, type=elements, elements=None)) for name in items), items, path + ".", text_numbers
        )
    return misfit(inner, value, path + ".", text_numbers) if inner else ""


def _fits(wanted: str, value: Any, text_numbers: bool) -> bool:
    if wanted == "dict":
        return isinstance(value, Mapping)
    if wanted == "list":
        return isinstance(value, (list, tuple))
    if wanted == "str":
        return isinstance(value, str)
    if wanted not in ("int", "float"):
        return True  # true and false have many spellings, and nothing is lost by them
    if isinstance(value, str) and text_numbers:
        return True  # Ansible reads it, and says so when it is none
    if isinstance(value, bool) or not isinstance(value, int if wanted == "int" else (int, float)):
        return False
    return wanted == "int" or abs(value) <= sys.float_info.max  # neither infinite nor nan


def refuse_misfits(module: Any) -> None:
    """Leave the module with one sentence when an option is not what it should be: true for a number, or nan."""
    wrong = misfit(module.argument_spec, module.params, text_numbers=True)
    if wrong:
        module.fail_json(msg=wrong)
