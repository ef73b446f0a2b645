"""What an agent is told: a TOML file, overlaid by the environment.

Environment names are ``AWARE_`` and the path in capitals: ``AWARE_NAME``, ``AWARE_GATEWAY__PORT``. The join token is
best given as ``token_file``; it may come as ``AWARE_TOKEN`` but never as an argument, where every user of the machine
could read it.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.node import Labels, LogLevel
from aware_agent.colony.spec import NAME
from aware_agent.colony.timing import Timing, check_timing
from aware_agent.security.joining import check_node_name


class SettingsInvalid(AwareError):
    """The settings cannot be used; nothing was started."""

    code = "settings-invalid"
    exit_code = 10


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where this node serves HTTP. Port 0 is refused: other nodes have to know it."""

    port: int = 8443
    bind: str = ""  # default: the node's own address


class DiscoverySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How nodes find each other."""

    port: int = 20100
    broadcast: bool = True
    interfaces: tuple[str, ...] = ()  # default: those that carry the node's own address
    seeds: tuple[str, ...] = ()  # gateway URLs, https://host:port
    interval_s: float = 5.0  # beacon interval of a small, settled colony; grows with its size
    find_timeout_s: float = 30.0  # how long a newcomer looks before it gives up


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach etcd. Endpoints normally come with the join; set them to override."""

    endpoints: tuple[str, ...] = ()
    startup_timeout_s: float = 30.0
    production: bool = True  # refuse etcd versions known to lose data


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where log lines go is the caller's business (stderr); how they look is ours."""

    level: LogLevel = "info"
    format: Literal["json", "text"] = "json"


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


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    colony: str
    state_dir: str
    name: str = ""  # default: the host name
    address: str = ""  # default: the address the default route uses, else 127.0.0.1
    token_file: str = ""
    candidate: bool = True
    priority: int = 100
    zone: str = ""
    labels: Labels = {}
    gateway: GatewaySettings = GatewaySettings()
    discovery: DiscoverySettings = DiscoverySettings()
    store: StoreSettings = StoreSettings()
    timing: Timing = Timing()
    log: LogSettings = LogSettings()
    backup: BackupSettings = BackupSettings()

    @property
    def url(self) -> str:
        """Base URL of this node's gateway."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.gateway.port}"


def load_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read, overlay and check. Raises :class:`SettingsInvalid` that names file and field."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsInvalid(f"cannot read settings {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"settings {path} are not TOML: {error}") from error
    _overlay(document, environment)
    try:
        settings = msgspec.convert(document, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"settings {path}: {error}", hint="see docs/settings.md") from error
    return _checked(_with_defaults(settings), path)


def _overlay(document: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Put ``AWARE_A__B=value`` to ``document["a"]["b"]`` for the fields that exist."""
    for field in msgspec.structs.fields(Settings):
        name = f"AWARE_{field.name.upper()}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            for inner in msgspec.structs.fields(field.type):
                value = environment.get(f"{name}__{inner.name.upper()}")
                if value is not None:
                    document.setdefault(field.name, {})[inner.name] = _parse(value, inner.type)
        elif name in environment:
            document[field.name] = _parse(environment[name], field.type)


def _parse(value: str, kind: object) -> Any:
    if kind is Labels or kind == dict[str, str]:
        return dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)
    if str(kind).startswith("tuple"):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _with_defaults(settings: Settings) -> Settings:
    name = settings.name or socket.gethostname().split(".")[0].lower()
    address = settings.address or _own_address()
    bind = settings.gateway.bind or address
    gateway = msgspec.structs.replace(settings.gateway, bind=bind)
    return msgspec.structs.replace(settings, name=name, address=address, gateway=gateway)


def _own_address() -> str:
    """The address the default route would use. Nothing is sent: a UDP connect only asks the routing table."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _checked(settings: Settings, path: Path) -> Settings:
    def refuse(field: str, problem: str, hint: str = "") -> SettingsInvalid:
        return SettingsInvalid(f"settings {path}: {field} {problem}", hint=hint)

    if not NAME.match(settings.colony):
        hint = "lower-case letters, digits and -, starting with a letter"
        raise refuse("colony", f"{settings.colony!r} is not a name", hint)
    try:
        check_node_name(settings.name)
    except InvalidInput as error:
        raise refuse("name", f"{settings.name!r}: {error.message}") from error
    for field, port in (("gateway.port", settings.gateway.port), ("discovery.port", settings.discovery.port)):
        if not 1 <= port <= 65535:
            raise refuse(field, f"{port} is not a port", "1 to 65535")
    try:
        ipaddress.ip_address(settings.address)
    except ValueError as error:
        raise refuse("address", f"{settings.address!r} is not an IP address") from error
    for seed in settings.discovery.seeds:
        parts = urlsplit(seed)
        if parts.scheme != "https" or not parts.hostname:
            raise refuse("discovery.seeds", f"{seed!r} is not the URL of a gateway", "https://host:port")
    if not os.path.isabs(settings.state_dir):
        raise refuse("state_dir", f"{settings.state_dir!r} is not an absolute path")
    try:
        check_timing(settings.timing)
    except InvalidInput as error:
        raise SettingsInvalid(f"settings {path}: {error.message}", hint=error.hint) from error
    return settings
