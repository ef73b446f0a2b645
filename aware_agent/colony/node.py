"""A node: what it says of itself (report), what the queen keeps of it (record), what an operator sets (config)."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from aware_agent.colony.away import Away
from aware_agent.colony.decoding import Count, Line, Moment, Word
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.limits import Limit
from aware_agent.colony.names import usable_labels

Labels = dict[str, str]
LogLevel = Literal["debug", "info", "warning", "error"]
PRIORITY = (-1_000_000, 1_000_000)  # what a node's priority may be
BEACON_INTERVAL_S = (0.2, 3600.0)
MAX_PROOFS = 64
MAX_OPERATIONS = 100  # of a member's own
MAX_REPORTED = 1000  # labels that are read at all; see names.usable_labels for those that count
MAX_DEPTH = 20  # of a node's variables: every decoder on their way has to take them


class Status(StrEnum):
    """How alive the queen believes a node is."""

    READY = "ready"  # presence lease held
    SUSPECT = "suspect"  # presence lease gone, less than ``dead_after`` ago
    DEAD = "dead"  # presence lease gone for longer; its work is given to others
    LEFT = "left"  # said good-bye; not expected to answer
    AWAY = "away"  # somebody sent it away (Record.away), whether it answers or not


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a node can do, measured by its agent. Memory and disk in MiB and GiB."""

    vcpus: Count = 0
    ram_mib: Count = 0
    disk_gib: Count = 0
    zone: Word = ""


class TrustReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a node holds of what the colony believes in."""

    # That it has the secret, by generation; see security.keyring.proof.
    proofs: Annotated[dict[int, Word], msgspec.Meta(max_length=MAX_PROOFS)]
    signed_by: Count  # generation of the CA that signed its certificate
    not_after: Moment  # end of its certificate, Unix seconds
    bundle: Word  # fingerprint of the CAs it believes
    council_bundle: Word = ""  # of those it believes of etcd; empty: a worker


class EtcdReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a node offers a council: its etcd program, where it would run it, and the room it has for data."""

    version: Word
    client_url: Word
    peer_url: Word
    free_mib: Count
    quota_mib: Count = 2048  # how large its etcd's file may become
    believes: Word = ""  # fingerprint of the CAs that its etcd believes; empty: it has no seat


class JobsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a member could run as a job, if it reigned."""

    runner: Word = ""  # version of ansible-runner; empty: not installed
    ansible: Word = ""  # of ansible-core
    confined: Word = ""  # what keeps a playbook from the colony's secrets
    problem: Line = ""  # why no playbook can be run here; empty: it can
    # Its files in operations.d: name and digest.
    operations: Annotated[dict[Word, Word], msgspec.Meta(max_length=MAX_OPERATIONS)] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a live node says of itself; the value of its presence key, written by the node on its own lease."""

    name: Word
    address: Word  # IP address other nodes reach it at
    url: Word  # base URL of its gateway, https://address:port
    incarnation: Word  # ULID, new at every start of the agent; shown to nobody, see process_id
    version: Word = ""
    joined_at: Moment = 0.0  # Unix seconds; seniority in election
    candidate: bool = True  # could reign now: holds the secret, and no configuration keeps it from it
    priority: Annotated[int, msgspec.Meta(ge=PRIORITY[0], le=PRIORITY[1])] = 100  # higher reigns first
    capabilities: Capabilities = Capabilities()
    channel: Word = ""  # where it takes channels (host:port), if it is a council member
    labels: Annotated[Labels, msgspec.Meta(max_length=MAX_REPORTED)] = {}
    config_version: Count = 0  # configuration it has applied
    origin: Line = ""  # how it found the colony: founded, seed, remembered, broadcast
    home: Word = ""  # which directory of which running kernel it lives in; see StateDir.home
    leaving: bool = False  # said good-bye; the lease is left to run out
    serving: bool = True  # its gateway answers requests
    trust: TrustReport | None = None  # None: an older agent
    etcd: EtcdReport | None = None  # None: it has no etcd that a council could use
    jobs: JobsReport | None = None  # None: it never reigns, so it runs none


def process_id(incarnation: str) -> str:
    """What tells one start of an agent from another and opens nothing: to a member the incarnation itself proves which
    process calls, so whoever could read it might take the place of one that is alive.
    """
    return hashlib.sha256(b"aware-process/1\0" + incarnation.encode()).hexdigest()[:12] if incarnation else ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the queen keeps of a node; written only by fenced transactions."""

    id: str  # ULID, lives in the node's state directory
    name: str
    joined_at: Moment
    status: Status = Status.READY
    status_since: Moment = 0.0  # Unix seconds
    cordoned: bool = False
    drained: bool = False  # cordoned, and its work goes to others
    over: tuple[Limit, ...] = ()  # limits of the spec that it is over: it gets no new work
    away: Away | None = None  # status is AWAY as long as it is one
    labels: Labels = {}  # set by operators; they win over the report's
    report: Report | None = None  # last known
    eligible: bool = False  # an admin let it in as one that may reign; without, it is a worker and gets no secret
    address: str = ""  # its certificate names it; it was seen there, or it is pinned
    pinned: tuple[str, ...] = ()  # addresses an admin gave it; they are in its certificate too
    joined_with: str = ""  # id of the join token it came in with last
    key_pin: str = ""  # fingerprint of the node's key: who joins again under this id must have it
    term: int = 0  # of the queen that wrote this


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings an agent applies while it runs; ``None`` means what its settings file says."""

    log_level: LogLevel | None = None
    beacon_interval_s: float | None = None
    candidate: bool | None = None
    priority: int | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of one node. ``vars`` is free and reaches Ansible as the host variable ``aware_vars``."""

    agent: AgentConfig = AgentConfig()
    vars: dict[str, Any] = {}


def effective_labels(record: Record) -> Labels:
    """Labels of the report, as far as they are any, overlaid with those an operator set."""
    reported = record.report.labels if record.report else {}
    return {**usable_labels(reported), **record.labels}


def check_config(config: Config) -> None:
    """Raise :class:`InvalidInput` for a configuration no node may have."""
    interval = config.agent.beacon_interval_s
    least, most = BEACON_INTERVAL_S
    if interval is not None and not least <= interval <= most:
        raise InvalidInput(
            f"beacon_interval_s {interval:g} is out of range",
            field="agent.beacon_interval_s",
            hint=f"{least:g} to {most:g} seconds",
        )
    low, high = PRIORITY
    if config.agent.priority is not None and not low <= config.agent.priority <= high:
        raise InvalidInput("priority is out of range", field="agent.priority", hint=f"{low} to {high}")
    if not _is_shallow(config.vars, MAX_DEPTH):
        raise InvalidInput("vars are nested too deeply", field="vars", hint=f"at most {MAX_DEPTH} levels")


def _is_shallow(value: Any, left: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return left > 0 and all(_is_shallow(item, left - 1) for item in inner)
