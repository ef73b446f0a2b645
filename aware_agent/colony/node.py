"""A node: what it says of itself (report), what the queen keeps of it (record), what an operator sets (config)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

Labels = dict[str, str]
LogLevel = Literal["debug", "info", "warning", "error"]


class Status(StrEnum):
    """How alive the queen believes a node is."""

    READY = "ready"  # presence lease held
    SUSPECT = "suspect"  # presence lease gone, less than ``dead_after`` ago
    DEAD = "dead"  # presence lease gone for longer; its work is given to others
    LEFT = "left"  # said good-bye; expected to be away


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a node can do, measured by its agent. Memory and disk in MiB and GiB."""

    vcpus: int = 0
    ram_mib: int = 0
    disk_gib: int = 0
    zone: str = ""


class TrustReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a node holds of what the colony believes in."""

    proofs: dict[int, str]  # that it has the secret, by generation; see security.keyring.proof
    signed_by: int  # generation of the CA that signed its certificate
    not_after: float  # end of its certificate, Unix seconds
    bundle: str  # fingerprint of the CAs it believes


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a live node says of itself; the value of its presence key, written by the node on its own lease."""

    name: str
    address: str  # IP address other nodes reach it at
    url: str  # base URL of its gateway, https://address:port
    incarnation: str  # ULID, new at every start of the agent
    version: str = ""
    joined_at: float = 0.0  # Unix seconds; seniority in election
    candidate: bool = True
    priority: int = 100  # higher reigns first
    capabilities: Capabilities = Capabilities()
    labels: Labels = {}
    config_version: int = 0  # configuration it has applied
    origin: str = ""  # how it found the colony: founded, seed, remembered, broadcast
    leaving: bool = False  # said good-bye; the lease is left to run out
    trust: TrustReport | None = None  # None: an older agent


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the queen keeps of a node; written only by fenced transactions."""

    id: str  # ULID, lives in the node's state directory
    name: str
    joined_at: float
    status: Status = Status.READY
    status_since: float = 0.0  # Unix seconds
    cordoned: bool = False
    labels: Labels = {}  # set by operators; they win over the report's
    report: Report | None = None  # last known
    candidate: bool = True  # admitted as one that may reign; else it has no secret to reign with
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
    """Labels of the report overlaid with those an operator set."""
    reported = record.report.labels if record.report else {}
    return {**reported, **record.labels}
