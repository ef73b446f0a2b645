"""What an agent is told: a TOML file, overlaid by the environment.

Environment names are ``AWARE_`` and the path in capitals: ``AWARE_NAME``, ``AWARE_GATEWAY__PORT``. The join token is
best given as ``token_file``; it may come as ``AWARE_TOKEN`` but never as an argument, where every user of the machine
could read it.
"""

from __future__ import annotations

import contextlib
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from aware_agent.agent.settings_environment import is_section, overlay
from aware_agent.agent.settings_rules import check_settings
from aware_agent.agent.state import StateDir
from aware_agent.colony.decoding import from_plain
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.names import Kind, is_name
from aware_agent.colony.node import Labels, LogLevel
from aware_agent.colony.plain_words import in_words
from aware_agent.colony.quota import WriteKind
from aware_agent.colony.rates import Rate
from aware_agent.colony.reach import Reach
from aware_agent.colony.timing import Timing
from aware_agent.security.regular import read_regular

NODE_PER_MINUTE = 30.0  # joins and renewals of one node; a certificate lasts for days


class SettingsInvalid(AwareError):
    """The settings cannot be used; nothing was started."""

    code = "settings-invalid"
    exit_code = 10


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where this node serves HTTP, and what it allows strangers. Port 0 is refused: other nodes have to know it."""

    port: int = 8443
    bind: str = ""  # default: the node's own address
    proxies: tuple[str, ...] = ()  # addresses or networks of load balancers; they, and only they, use PROXY v2
    max_connections: int = 2000
    max_connections_per_source: int = 256  # of one IPv4 address or IPv6 /64
    max_head_bytes: int = 32768
    first_request_timeout_s: float = 10.0  # for TLS, and for the head of a request
    idle_timeout_s: float = 30.0  # between two requests of a connection
    body_timeout_s: float = 30.0
    requests_per_s: float = 500.0  # of one user; see aware_agent.gateway.throttle
    requests_per_s_per_source: float = 100.0  # of one IPv4 address or IPv6 /64, without a token that was seen before
    requests_per_s_of_strangers: float = 2000.0  # of all such requests
    request_burst_s: float = 5.0  # so many seconds' worth of them may come at once
    max_streams: int = 1000
    max_streams_per_user: int = 50
    metrics_token_file: str = ""  # default: everybody may read /metrics
    cors_origins: tuple[str, ...] = ()  # https://host[:port] of pages of others that may ask
    hsts_max_age_s: int = 0  # 0: browsers are told nothing
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    tls_ciphers: str = ""  # of TLS 1.2, as OpenSSL names them; default: OpenSSL's own


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a council member takes the channels of nodes. Every member may use another port."""

    port: int = 8444
    bind: str = ""  # default: the node's own address


class DiscoverySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How nodes find each other."""

    port: int = 20100
    broadcast: bool = True
    interfaces: tuple[str, ...] = ()  # default: those that carry the node's own address
    seeds: tuple[str, ...] = ()  # gateway URLs, https://host:port
    interval_s: float = 5.0  # beacon interval of a small, settled colony; grows with its size
    find_timeout_s: float = 30.0  # how long a newcomer looks before it gives up


class CouncilSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this node founds, and how it runs etcd when it has a seat; at its own address."""

    # Who runs etcd on this node; "none": nobody, and it never sits. Where founding_key_file is set, "none" is "child".
    etcd: Literal["systemd", "child", "none"] = "none"
    size: int = 3  # seats of the colony that is founded; all founders have to be told the same
    client_port: int = 2379
    peer_port: int = 2380
    quota_mib: int = 2048  # how large etcd's file may become; the same on all members, from etcd's next start on


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach etcd. Endpoints normally come with the join; set them to override."""

    endpoints: tuple[str, ...] = ()
    startup_timeout_s: float = 30.0
    production: bool = True  # refuse etcd versions known to lose data


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where log lines go is the caller's business (stderr); how they look is ours."""

    level: LogLevel = "info"
    format: Literal["json", "text"] = "json"


class QuotaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one user may write while this node reigns. A new queen counts from the beginning."""

    changes_per_minute: float = 1200.0
    creations_per_minute: float = 60.0  # users, tokens, orders, signed URLs, backups
    sessions_per_minute: float = 60.0  # logins and refreshes
    burst_minutes: float = 5.0  # so many minutes' worth of them may come at once

    def rates(self) -> dict[WriteKind, Rate]:
        """All of them. What a check writes stays nowhere, and of a node's own there are few."""
        wanted = {
            WriteKind.CHANGE: self.changes_per_minute,
            WriteKind.CREATE: self.creations_per_minute,
            WriteKind.SESSION: self.sessions_per_minute,
            WriteKind.CHECK: 10 * self.changes_per_minute,
            WriteKind.DEMAND: self.changes_per_minute,  # counted apart: it must not use up what people change by
            WriteKind.NODE: NODE_PER_MINUTE,
        }
        return {kind: Rate(number / 60, max(1.0, number * self.burst_minutes)) for kind, number in wanted.items()}


class BackupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where backups go and with which secrets (files), for a queen whose spec has ``policies.backup``."""

    key_file: str = ""  # opens and seals backups; not the colony secret
    directory: str = ""  # target: directory
    s3_endpoint: str = ""  # target: s3; default: AWS
    s3_region: str = ""
    s3_bucket: str = ""
    s3_prefix: str = ""
    s3_access_key_file: str = ""
    s3_secret_key_file: str = ""
    s3_ca_file: str = ""  # PEM; default: the usual ones
    swift_cloud: str = ""  # target: swift; name in the clouds.yaml
    swift_clouds_file: str = ""  # default: where OpenStack's tools look
    swift_container: str = ""
    swift_prefix: str = ""


class PasswordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What passwords of users have to be when they are set; the same on every node that may reign."""

    min_length: int = 8  # characters
    refused_file: str = ""  # list of passwords that are refused, or a directory of such lists


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How jobs run while this node reigns."""

    operations_dir: str = "/etc/aware/operations.d"
    user: str = ""  # whom the jobs of an agent that runs as root become; default: aware-job, else nobody
    directory: str = ""  # where they have theirs; default: /run/aware-jobs as root, else in the state directory
    parallel: int = 4  # so many at once
    memory_mib: int = 2048  # of each process


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who provides servers while this node reigns."""

    socket: str = ""  # path of a Unix socket; empty: nobody does here


class OutgoingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a queen on this node may call beyond the public Internet: for webhooks."""

    allow_networks: tuple[str, ...] = ()  # 10.0.0.0/8, or a single address
    http_to_loopback: bool = False  # http://, and this host itself

    def reach(self) -> Reach:
        """The same, for who judges addresses."""
        return Reach(networks=self.allow_networks, http_to_loopback=self.http_to_loopback)


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a council member keeps of the audit log on its own disk, and whom it sends it to while it reigns."""

    archive_mib: int = 64  # the oldest lines go when there is more
    syslog: str = ""  # host:port of a receiver, by TLS; "off": whoever was told by another queen is told no more
    syslog_ca_file: str = ""  # empty: the system's CAs
    syslog_certificate_file: str = ""  # for receivers that want one; with its key
    syslog_key_file: str = ""


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a council member sends spans, by OTLP over HTTP. The same on all members."""

    endpoint: str = ""  # https://host:4318 of a collector, or http:// on this host; default: nothing is traced
    sample_ratio: float = 1.0  # of requests that come without a trace; those of a user's trace follow what it says
    headers_file: str = ""  # lines "Name: value" that the collector wants to see, as a key
    ca_file: str = ""  # default: the system's CAs


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    colony: str
    state_dir: str
    name: str = ""  # default: the one it joined with, else the host name
    spare_name: str = ""  # if another node has the guessed name; default: the whole host name, with dashes for dots
    address: str = ""  # default: the address the default route uses
    token_file: str = ""
    founding_key_file: str = ""  # instead of a token: found the colony with others that hold the same key
    priority: int = 100
    zone: str = ""
    labels: Labels = {}
    gateway: GatewaySettings = GatewaySettings()
    channel: ChannelSettings = ChannelSettings()
    discovery: DiscoverySettings = DiscoverySettings()
    council: CouncilSettings = CouncilSettings()
    store: StoreSettings = StoreSettings()
    timing: Timing = Timing()
    log: LogSettings = LogSettings()
    quota: QuotaSettings = QuotaSettings()
    backup: BackupSettings = BackupSettings()
    passwords: PasswordSettings = PasswordSettings()
    jobs: JobSettings = JobSettings()
    servers: ServerSettings = ServerSettings()
    outgoing: OutgoingSettings = OutgoingSettings()
    audit: AuditSettings = AuditSettings()
    tracing: TracingSettings = TracingSettings()

    @property
    def runs_etcd(self) -> bool:
        """Whether this node can take a seat: its agent runs etcd then."""
        return self.council.etcd != "none" or bool(self.founding_key_file)

    def own_url(self, port: int) -> str:
        """``https://address:port`` of this node."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{port}"

    @property
    def url(self) -> str:
        """Base URL of this node's gateway."""
        return self.own_url(self.gateway.port)

    @property
    def channel_address(self) -> str:
        """Where other nodes open their channels to this one, if it is a council member."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.channel.port}"


def load_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read, overlay and check. Raises :class:`SettingsInvalid` that names file and field."""
    try:
        document = tomllib.loads(read_regular(path).decode("utf-8"))
    except OSError as error:
        raise SettingsInvalid(f"cannot read settings {path}: {error.strerror}") from error
    # Numbers of thousands of digits and thousands of brackets are refused by Python, not by TOML.
    except (ValueError, RecursionError) as error:
        raise SettingsInvalid(f"settings {path} are not TOML: {error}") from error
    for field in msgspec.structs.fields(Settings):
        part = document.get(field.name, {})
        if is_section(field.type) and not isinstance(part, dict):
            raise SettingsInvalid(f"settings {path}: {field.name} is a section, [{field.name}], not a value")
    try:
        overlay(document, environment, Settings)
        settings = from_plain(document, Settings)
        settings = _with_defaults(settings)
        check_settings(settings)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"settings {path}: {in_words(error).message}", hint="see docs/settings.md") from error
    except InvalidInput as error:
        raise SettingsInvalid(f"settings {path}: {error.message}", hint=error.hint) from error
    return settings


def _with_defaults(settings: Settings) -> Settings:
    if settings.name and settings.spare_name:
        raise InvalidInput("spare_name is for a node whose name is guessed", field="spare_name", hint="leave one out")
    host = socket.gethostname().lower()
    name = settings.name or _joined_name(settings.state_dir) or host.split(".")[0]
    spare_name = "" if settings.name else settings.spare_name or _spare_of(host)
    address = settings.address or _own_address()
    if not address:
        raise InvalidInput(
            "this host has no default route to guess its address from",
            field="address",
            hint="set address, the IP address other nodes reach it at",
        )
    gateway = msgspec.structs.replace(settings.gateway, bind=settings.gateway.bind or address)
    channel = msgspec.structs.replace(settings.channel, bind=settings.channel.bind or address)
    return msgspec.structs.replace(
        settings, name=name, spare_name=spare_name, address=address, gateway=gateway, channel=channel
    )


def _spare_of(host: str) -> str:
    """``db-east`` of ``db.east``: hosts of one short name in several domains have each a name of their own."""
    dashed = host.replace(".", "-")[:63].rstrip("-")
    return dashed if "." in host and is_name(Kind.NODE, dashed) else ""


def _joined_name(state_dir: str) -> str:
    """What a node that has joined is called; its host may have been renamed since. Empty before the join."""
    state = StateDir(Path(state_dir))
    try:
        identity = state.load_identity() if state.membership_path.exists() else None
    except (OSError, AwareError):  # whoever uses the directory will say what is wrong with it
        return ""
    return identity.name if identity else ""


def _own_address() -> str:
    """The address the default route would use, or "". Nothing is sent: a UDP connect only asks the routing table."""
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))
            return str(probe.getsockname()[0])
    return ""
