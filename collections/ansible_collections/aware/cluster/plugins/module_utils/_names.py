# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What things may be called: one rule and one list of reserved words for every door of the collection. Pure.

They are those of C(aware_agent.colony.names), which the collection has to do without; a test of AWARE compares them.
"""

from __future__ import annotations

import re
from typing import Any

PATTERNS = dict(
    node=r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    caste=r"[a-z]([a-z0-9_]{0,61}[a-z0-9])?",
    colony=r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?",
    user=r"[a-z]([a-z0-9._@-]{0,62}[a-z0-9])?",
    label=r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?",
    keypair=r"(?!\.{1,2}\Z)[A-Za-z0-9@._-]([A-Za-z0-9 @._-]{0,253}[A-Za-z0-9@._-])?",  # as Nova takes them
)
HINTS = dict(
    node="lower-case letters, digits and - inside, from a letter on, at most 63",
    caste="lower-case letters, digits and _ inside, from a letter on, at most 63",
    colony="lower-case letters, digits and - inside, from a letter on, at most 48",
    user="lower-case letters, digits and . _ @ - inside, from a letter on, at most 64",
    label="letters and digits, with . _ / - inside, at most 63",
    keypair="letters, digits and @ . _ - with spaces inside, at most 255",
)
# Names that Ansible, the inventory's own groups, the history or YAML mean something else by.
RESERVED = frozenset(
    ("all", "ungrouped", "localhost", "localhost4", "localhost6", "implicit_localhost")
    + ("spare", "queen", "worker", "workers", "aware", "colony")
    + ("true", "false", "yes", "no", "on", "off", "null", "none")
)
GROUPS = "aware_"  # groups of the inventory that are not castes begin with it
MAX_LABELS = 64
MAX_LABEL_VALUE = 255
_RULES = dict((kind, re.compile(pattern)) for kind, pattern in PATTERNS.items())
_FREE = ("label", "keypair")  # nothing is told from a word by these


def is_name(kind: str, name: Any) -> bool:
    """Whether something of this kind may be called so."""
    if not isinstance(name, str) or not _RULES[kind].fullmatch(name):
        return False
    return kind in _FREE or (name not in RESERVED and not (kind == "caste" and name.startswith(GROUPS)))


def flaw(kind: str, name: Any) -> str:
    """Return in one sentence why nothing of this kind can be called so; an empty string when it can."""
    if is_name(kind, name):
        return ""
    if isinstance(name, str) and _RULES[kind].fullmatch(name):
        words = ", ".join(sorted(RESERVED))
        return (
            "%.80r cannot be the name of a %s: it means something else to Ansible, YAML or AWARE; choose another, "
            "not aware_... and not one of %s" % (name, kind, words)
        )
    return "%.80r cannot be the name of a %s: %s" % (name, kind, HINTS[kind])


def is_label_value(value: Any) -> bool:
    """Whether a label, or a zone, may have this value."""
    return isinstance(value, str) and len(value) <= MAX_LABEL_VALUE and value.isprintable()


def label_flaw(labels: Any) -> str:
    """Return in one sentence what is wrong with labels; an empty string when nothing is. None stands for "remove it"."""
    if len(labels) > MAX_LABELS:
        return "%d labels are too many: at most %d" % (len(labels), MAX_LABELS)
    for key, value in labels.items():
        wrong = flaw("label", key)
        if wrong:
            return wrong
        if value is not None and not is_label_value(value):
            return "the value of label %s is not printable text of at most %d characters" % (key, MAX_LABEL_VALUE)
    return ""
