"""What a user wants: the cluster spec, and the rules that make one impossible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from aware_agent.colony.backup import BackupPolicy, check_policy
from aware_agent.colony.council_document import COUNCIL_SIZES
from aware_agent.colony.decoding import UNDECODABLE, from_json, from_plain
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.healing import ServerPolicy, check_servers
from aware_agent.colony.limits import Limits, check_limits
from aware_agent.colony.names import MAX_LABEL_VALUE, Kind, check_labels, check_name, is_label_value
from aware_agent.colony.plain_words import in_words
from aware_agent.colony.renewal import LIFETIME_S
from aware_agent.colony.scale import MAX_NODES, Scale, check_scale
from aware_agent.colony.session import SESSION_S

MAX_SPEC_BYTES = 256 * 1024  # as JSON: it stands in one transaction with its version and what changed
MIN_REPLACE_S = 5.0
MAX_AMOUNT = 1_000_000_000  # of processors, MiB, GiB: more is a slip of the unit
KEEP_EVENTS = (1_000, 1_000_000)  # fewer would break resuming streams, and forget what happened
KEEP_AUDIT = (1_000, 20_000)
KEEP_JOBS = (10, 2000)
LOG_KIB = (16, 512)
MAX_DEAD_AFTER_S = 30 * 86400
MIN_CERTIFICATE_S, MAX_CERTIFICATE_S = 10.0, 1095 * 86400.0
SERVICE_TOKEN_S = 90 * 86400.0
MIN_SERVICE_TOKEN_S, MAX_SERVICE_TOKEN_S = 60.0, 366 * 86400.0
MIN_SESSION_S, MAX_SESSION_S = 300.0, 365 * 86400.0


class Requirements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The least a node must have to serve in a caste."""

    vcpus: int = 0
    ram_mib: int = 0
    disk_gib: int = 0
    zone: str = ""
    labels: dict[str, str] = {}
    pinned: bool = False  # zone and labels count only as labels that people gave the node: a node says what it likes


class CasteSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One named share of the work."""

    count: int
    requires: Requirements = Requirements()
    scale: Scale | None = None  # None: as many as count says; else that is what it starts with


class JobPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much is remembered of jobs."""

    keep: int = 200  # jobs that have ended
    log_kib: int = 256  # of what one job prints; beyond that its middle is left out


class Policies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the queen treats trouble. Times in seconds."""

    dead_after_s: float = 10.0  # suspect for this long becomes dead
    replace_dead: Literal["spare", "never"] = "spare"
    keep_events: int = 10_000
    keep_audit: int = 5_000  # lines of the audit log in etcd; older ones are in the members' archives
    certificate_lifetime_s: float = LIFETIME_S  # of a node's certificate; it renews it by itself before
    session_lifetime_s: float = SESSION_S  # of a login, however often it is refreshed
    service_token_lifetime_s: float = SERVICE_TOKEN_S  # the most a token of a service account is made for
    backup: BackupPolicy | None = None  # None: nobody makes backups
    jobs: JobPolicy = JobPolicy()
    limits: Limits | None = None  # None: however full a node is, it may get work
    servers: ServerPolicy | None = None  # None: people make and replace servers


class CouncilSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many nodes carry the colony, and when one that is lost is replaced."""

    size: int
    replace_after_s: float = 300.0  # a member that is lost for so long gives its seat to another; 0: never


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole wish: ``size`` nodes, of which each caste takes its share; the rest is spare."""

    colony: str
    size: int
    castes: dict[str, CasteSpec] = {}
    council: CouncilSpec | None = None  # None: the members of etcd are somebody else's business
    policies: Policies = Policies()


def parse_spec(raw: bytes) -> Spec:
    """Decode and check a JSON spec. Raises :class:`InvalidInput` that names the field."""
    try:
        spec = from_json(raw, Spec)
    except msgspec.ValidationError as error:
        said = in_words(_with_caste(raw, error))
        raise InvalidInput(f"spec: {said.message}", field=said.field, hint="see docs/spec.md") from error
    except UNDECODABLE as error:
        raise InvalidInput(f"spec is not JSON: {error}") from error
    check_spec(spec)
    return spec


def _with_caste(raw: bytes, error: msgspec.ValidationError) -> msgspec.ValidationError:
    """``error``, naming the caste: a decoder says of a mapping only that something is wrong in it."""
    if "$.castes[...]" not in str(error):
        return error
    try:
        castes = from_json(raw)["castes"]
    except UNDECODABLE:  # what is odd in it may be a name
        return error
    for name, caste in castes.items():
        try:
            from_plain(caste, CasteSpec)
        except msgspec.ValidationError:
            return msgspec.ValidationError(str(error).replace("$.castes[...]", f"$.castes.{name[:40]}"))
    return error


def check_spec(spec: Spec) -> None:
    """Raise :class:`InvalidInput` for a spec nobody could fulfil."""
    check_name(Kind.COLONY, spec.colony, "colony", where="spec: ")
    if not 1 <= spec.size <= MAX_NODES:
        raise InvalidInput(f"spec: size {_short(spec.size)} is impossible", field="size", hint=f"1 to {MAX_NODES}")
    for name, caste in spec.castes.items():
        _check_caste(name, caste)
    wanted = sum(caste.count for caste in spec.castes.values())
    if wanted > spec.size:
        raise InvalidInput(
            f"spec: castes want {wanted} nodes, but size is {spec.size}",
            field="castes",
            hint="raise size or lower a count",
        )
    most = sum(caste.count if caste.scale is None else caste.scale.highest for caste in spec.castes.values())
    if most > MAX_NODES:
        raise InvalidInput(
            f"spec: castes may come to want {most} nodes",
            field="castes",
            hint=f"lower a max: at most {MAX_NODES} in all",
        )
    if spec.council is not None:
        _check_council(spec.council, spec.size)
    _check_policies(spec.policies)


def _check_council(council: CouncilSpec, nodes: int) -> None:
    if council.size not in COUNCIL_SIZES:
        raise InvalidInput(
            f"spec: a council of {_short(council.size)} is impossible", field="council.size", hint="1, 3, 5 or 7"
        )
    if council.size > nodes:
        raise InvalidInput(
            f"spec: a council of {council.size} is larger than the colony of {nodes}",
            field="council.size",
            hint="raise size or lower council.size",
        )
    if council.replace_after_s != 0 and not council.replace_after_s >= MIN_REPLACE_S:
        raise InvalidInput(
            f"spec: council.replace_after_s {council.replace_after_s:g} would replace members that only paused",
            field="council.replace_after_s",
            hint=f"at least {MIN_REPLACE_S:g}, or 0 for never",
        )
    if council.replace_after_s > MAX_DEAD_AFTER_S:
        raise InvalidInput("spec: council.replace_after_s is more than 30 days", field="council.replace_after_s")


def _check_caste(name: str, caste: CasteSpec) -> None:
    check_name(Kind.CASTE, name, f"castes.{name}", where="spec: ")
    if not 0 <= caste.count <= MAX_NODES:
        raise InvalidInput(
            f"spec: caste {name!r} has count {_short(caste.count)}",
            field=f"castes.{name}.count",
            hint=f"0 to {MAX_NODES}",
        )
    needs = caste.requires
    for key in ("vcpus", "ram_mib", "disk_gib"):
        if not 0 <= getattr(needs, key) <= MAX_AMOUNT:
            raise InvalidInput(
                f"spec: caste {name!r} requires {key} {_short(getattr(needs, key))}",
                field=f"castes.{name}.requires.{key}",
                hint=f"0 to {MAX_AMOUNT}",
            )
    if not is_label_value(needs.zone):
        raise InvalidInput(
            f"spec: the zone of caste {name!r} is not printable text of at most {MAX_LABEL_VALUE} characters",
            field=f"castes.{name}.requires.zone",
        )
    check_labels(needs.labels, f"castes.{name}.requires.labels", where="spec: ")
    if needs.pinned and not (needs.zone or needs.labels):
        raise InvalidInput(
            f"spec: caste {name!r} wants pinned facts and names none",
            field=f"castes.{name}.requires.pinned",
            hint="give it a zone or labels, or leave pinned out",
        )
    if caste.scale is not None:
        check_scale(caste.scale, caste.count, f"castes.{name}.scale", f"spec: caste {name!r}: ")


def _short(number: int) -> str:
    text = str(number)
    return text if len(text) <= 24 else f"{text[:20]}..."


def check_apart(castes: Iterable[str], nodes: Iterable[str]) -> None:
    """Raise :class:`InvalidInput` when a caste is called like a node: Ansible could not tell host from group."""
    both = sorted(set(castes) & set(nodes))
    if both:
        raise InvalidInput(
            f"spec: caste {both[0]!r} is called like a node, and Ansible could not tell them apart",
            field=f"castes.{both[0]}",
            hint="choose another name for the caste",
        )


def _check_policies(policies: Policies) -> None:
    if policies.dead_after_s < 1:
        raise InvalidInput("spec: dead_after_s below 1 s would condemn healthy nodes", field="policies.dead_after_s")
    if policies.dead_after_s > MAX_DEAD_AFTER_S:
        raise InvalidInput("spec: dead_after_s is more than 30 days", field="policies.dead_after_s")
    if policies.keep_events < KEEP_EVENTS[0]:
        raise InvalidInput("spec: keep_events below 1000 would forget what was done", field="policies.keep_events")
    if policies.keep_events > KEEP_EVENTS[1]:
        raise InvalidInput(
            "spec: keep_events is more than etcd should hold", field="policies.keep_events", hint="at most 1000000"
        )
    if not KEEP_AUDIT[0] <= policies.keep_audit <= KEEP_AUDIT[1]:
        raise InvalidInput(
            f"spec: keep_audit {_short(policies.keep_audit)} is out of range",
            field="policies.keep_audit",
            hint=f"{KEEP_AUDIT[0]} to {KEEP_AUDIT[1]} lines",
        )
    if not MIN_CERTIFICATE_S <= policies.certificate_lifetime_s <= MAX_CERTIFICATE_S:
        raise InvalidInput(
            f"spec: certificates cannot live {policies.certificate_lifetime_s:g} s",
            field="policies.certificate_lifetime_s",
            hint=f"{MIN_CERTIFICATE_S:g} to {MAX_CERTIFICATE_S:g} seconds",
        )
    if not MIN_SESSION_S <= policies.session_lifetime_s <= MAX_SESSION_S:
        raise InvalidInput(
            f"spec: a session cannot last {policies.session_lifetime_s:g} s",
            field="policies.session_lifetime_s",
            hint=f"{MIN_SESSION_S:g} to {MAX_SESSION_S:g} seconds",
        )
    if not MIN_SERVICE_TOKEN_S <= policies.service_token_lifetime_s <= MAX_SERVICE_TOKEN_S:
        raise InvalidInput(
            f"spec: a token of a service account cannot live {policies.service_token_lifetime_s:g} s",
            field="policies.service_token_lifetime_s",
            hint=f"{MIN_SERVICE_TOKEN_S:g} to {MAX_SERVICE_TOKEN_S:g} seconds",
        )
    for name, value, (least, most) in (
        ("keep", policies.jobs.keep, KEEP_JOBS),
        ("log_kib", policies.jobs.log_kib, LOG_KIB),
    ):
        if not least <= value <= most:
            raise InvalidInput(
                f"spec: policies.jobs.{name} {_short(value)} is out of range",
                field=f"policies.jobs.{name}",
                hint=f"{least} to {most}",
            )
    _check_wholes(policies)


def _check_wholes(policies: Policies) -> None:
    """Those that are there or not."""
    if policies.limits is not None:
        check_limits(policies.limits, "policies.limits")
    if policies.servers is not None:
        check_servers(policies.servers, "policies.servers")
    if policies.backup is not None:
        check_policy(policies.backup, "policies.backup")
