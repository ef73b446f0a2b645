"""What a user wants: the cluster spec, and the rules that make one impossible."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from aware_agent.colony.backup import BackupPolicy, check_policy
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.renewal import LIFETIME_S

NAME = re.compile(r"^[a-z][a-z0-9-]{0,62}\Z")
CASTE = re.compile(r"^[a-z][a-z0-9_]{0,62}\Z")
RESERVED_CASTES = frozenset({"all", "ungrouped", "spare", "queen", "worker", "aware"})
MAX_NODES = 10_000
MIN_CERTIFICATE_S, MAX_CERTIFICATE_S = 10.0, 1095 * 86400.0


class Requirements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The least a node must have to serve in a caste."""

    vcpus: int = 0
    ram_mib: int = 0
    disk_gib: int = 0
    zone: str = ""
    labels: dict[str, str] = {}


class CasteSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One named share of the work."""

    count: int
    requires: Requirements = Requirements()


class Policies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the queen treats trouble. Times in seconds."""

    dead_after_s: float = 10.0  # suspect for this long becomes dead
    replace_dead: Literal["spare", "never"] = "spare"
    keep_events: int = 10_000
    certificate_lifetime_s: float = LIFETIME_S  # of a node's certificate; it renews it by itself before
    backup: BackupPolicy | None = None  # None: nobody makes backups


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole wish: ``size`` nodes, of which each caste takes its share; the rest is spare."""

    colony: str
    size: int
    castes: dict[str, CasteSpec] = {}
    policies: Policies = Policies()


def parse_spec(raw: bytes) -> Spec:
    """Decode and check a JSON spec. Raises :class:`InvalidInput` that names the field."""
    try:
        spec = msgspec.json.decode(raw, type=Spec)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise InvalidInput(f"spec: {message}", field=path.strip("`"), hint="see docs/spec.md") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"spec is not JSON: {error}") from error
    check_spec(spec)
    return spec


def check_spec(spec: Spec) -> None:
    """Raise :class:`InvalidInput` for a spec nobody could fulfil."""
    if not NAME.match(spec.colony):
        raise InvalidInput(
            f"spec: colony {spec.colony!r} is not a name",
            field="colony",
            hint="lower-case letters, digits and -, starting with a letter",
        )
    if not 1 <= spec.size <= MAX_NODES:
        raise InvalidInput(f"spec: size {spec.size} is impossible", field="size", hint=f"1 to {MAX_NODES}")
    for name, caste in spec.castes.items():
        _check_caste(name, caste)
    wanted = sum(caste.count for caste in spec.castes.values())
    if wanted > spec.size:
        raise InvalidInput(
            f"spec: castes want {wanted} nodes, but size is {spec.size}",
            field="castes",
            hint="raise size or lower a count",
        )
    _check_policies(spec.policies)


def _check_caste(name: str, caste: CasteSpec) -> None:
    if not CASTE.match(name) or name in RESERVED_CASTES or name.startswith("aware_"):
        raise InvalidInput(
            f"spec: caste {name!r} cannot be a group name",
            field=f"castes.{name}",
            hint="lower-case letters, digits and _, not aware_... and not one of " + ", ".join(sorted(RESERVED_CASTES)),
        )
    if caste.count < 0:
        raise InvalidInput(
            f"spec: caste {name!r} has count {caste.count}", field=f"castes.{name}.count", hint="0 or more"
        )
    needs = caste.requires
    if min(needs.vcpus, needs.ram_mib, needs.disk_gib) < 0:
        raise InvalidInput(f"spec: caste {name!r} requires less than nothing", field=f"castes.{name}.requires")


def _check_policies(policies: Policies) -> None:
    if policies.dead_after_s < 1:
        raise InvalidInput("spec: dead_after_s below 1 s would condemn healthy nodes", field="policies.dead_after_s")
    if policies.keep_events < 100:
        raise InvalidInput("spec: keep_events below 100 would break resuming streams", field="policies.keep_events")
    if not MIN_CERTIFICATE_S <= policies.certificate_lifetime_s <= MAX_CERTIFICATE_S:
        raise InvalidInput(
            f"spec: certificates cannot live {policies.certificate_lifetime_s:g} s",
            field="policies.certificate_lifetime_s",
            hint=f"{MIN_CERTIFICATE_S:g} to {MAX_CERTIFICATE_S:g} seconds",
        )
    if policies.backup is not None:
        check_policy(policies.backup, "policies.backup")
