"""What things may be called: one rule and one list of reserved words for every door. Pure.

A node's name becomes a host name, a name in certificates, a server's name and Ansible's inventory name; a caste's name
becomes a group of Ansible; both stand in YAML without quotes. The collection has the same rules in its
``module_utils/_names.py``, because it has to do without this package; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from aware_agent.colony.errors import InvalidInput


class Kind(StrEnum):
    """Whose name it is. The value is what messages say."""

    NODE = "node"
    CASTE = "caste"
    COLONY = "colony"
    USER = "user"
    LABEL = "label"


# A colony's name is shorter than a node's: <colony>-<number> names its servers, and OpenStack's texts hold it.
PATTERNS = {
    Kind.NODE: r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    Kind.CASTE: r"[a-z]([a-z0-9_]{0,61}[a-z0-9])?",
    Kind.COLONY: r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?",
    Kind.USER: r"[a-z]([a-z0-9._@-]{0,62}[a-z0-9])?",
    Kind.LABEL: r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?",
}
HINTS = {
    Kind.NODE: "lower-case letters, digits and - inside, from a letter on, at most 63",
    Kind.CASTE: "lower-case letters, digits and _ inside, from a letter on, at most 63",
    Kind.COLONY: "lower-case letters, digits and - inside, from a letter on, at most 48",
    Kind.USER: "lower-case letters, digits and . _ @ - inside, from a letter on, at most 64",
    Kind.LABEL: "letters and digits, with . _ / - inside, at most 63",
}
# Names that Ansible, the inventory's own groups, the history or YAML mean something else by.
RESERVED = frozenset(
    {"all", "ungrouped", "localhost", "localhost4", "localhost6", "implicit_localhost"}
    | {"spare", "queen", "worker", "workers", "aware", "colony"}
    | {"true", "false", "yes", "no", "on", "off", "null", "none"}
)
GROUPS = "aware_"  # groups of the inventory that are not castes begin with it
MAX_LABELS = 64
MAX_LABEL_VALUE = 255
_RULES = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}


def node_host(colony: str, name: str) -> str:
    """The name of one node in its certificate."""
    return f"{name}.node.{colony}.aware"


def council_host(colony: str) -> str:
    """The name only nodes that may reign have in their certificate; credentials are shown to nobody else."""
    return f"council.{colony}.aware"


def is_name(kind: Kind, name: object) -> bool:
    """Whether something of this kind may be called so."""
    if not isinstance(name, str) or _RULES[kind].fullmatch(name) is None:
        return False
    return kind is Kind.LABEL or (name not in RESERVED and not (kind is Kind.CASTE and name.startswith(GROUPS)))


def check_name(kind: Kind, name: object, field: str = "name", *, where: str = "") -> None:
    """Raise :class:`InvalidInput` with the rule as its hint unless something of this kind may be called so.

    ``where`` begins the message, such as ``spec: ``.
    """
    if is_name(kind, name):
        return
    shown = repr(name)[:80]
    if isinstance(name, str) and _RULES[kind].fullmatch(name):
        raise InvalidInput(
            f"{where}{shown} cannot be the name of a {kind}: it means something else to Ansible, YAML or AWARE",
            field=field,
            hint=f"choose another; not aware_... and not one of {', '.join(sorted(RESERVED))}",
        )
    raise InvalidInput(f"{where}{shown} cannot be the name of a {kind}", field=field, hint=HINTS[kind])


def check_labels(labels: Mapping[str, Any], field: str = "labels", *, where: str = "") -> None:
    """Raise :class:`InvalidInput` for labels nobody may have. A value of None stands for "remove it"."""
    if len(labels) > MAX_LABELS:
        raise InvalidInput(f"{where}{len(labels)} labels are too many", field=field, hint=f"at most {MAX_LABELS}")
    for key, value in labels.items():
        check_name(Kind.LABEL, key, field, where=where)
        if value is not None and not is_label_value(value):
            raise InvalidInput(
                f"{where}the value of label {key!r} is not printable text of at most {MAX_LABEL_VALUE} characters",
                field=f"{field}.{key}",
            )


def is_label_value(value: object) -> bool:
    """Whether a label may have this value."""
    return isinstance(value, str) and len(value) <= MAX_LABEL_VALUE and value.isprintable()


def usable_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Those of ``labels`` that anybody may have, at most :data:`MAX_LABELS`: a node may say anything of itself."""
    good = ((key, value) for key, value in labels.items() if is_name(Kind.LABEL, key) and is_label_value(value))
    return {key: value for (key, value), _ in zip(good, range(MAX_LABELS), strict=False)}
