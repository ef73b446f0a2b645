# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the spec is checked with."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.aware.cluster.plugins.module_utils._plain import misfit


class SpecError(Exception):
    """The spec breaks a rule. One line that names the key."""


def validated(spec: dict, values: Any, where: str) -> dict:
    values = said_only(spec, values)
    unknown = sorted(str(key) for key in values if key not in spec)
    if unknown:
        raise SpecError("%s: unknown key %s; known are %s" % (where, ", ".join(unknown), ", ".join(sorted(spec))))
    refuse(misfit(spec, values), "" if where == "cluster spec" else where + ".")
    result = ArgumentSpecValidator(spec).validate(values)
    if result.error_messages:
        raise SpecError("%s: %s" % (where, "; ".join(result.error_messages)))
    return result.validated_parameters


def said_only(spec: dict, values: Any) -> dict:
    """``values`` without keys that are empty, at every depth the spec knows: C(castes:) is as good as no C(castes)."""
    said = {}
    for key, value in values.items():
        inner = spec[key].get("options") if key in spec else None
        if value is not None or key not in spec:
            said[key] = said_only(inner, value) if inner and isinstance(value, dict) else value
    return said


def short(number: int) -> str:
    text = "%d" % number
    return text if len(text) <= 24 else text[:20] + "..."


def refuse(wrong: str, where: str) -> None:
    if wrong:
        raise SpecError(where + wrong)


def without_none(values: dict) -> dict:
    return dict((key, value) for key, value in values.items() if value is not None)
