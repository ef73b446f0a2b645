"""What settings may say: everything that can be judged without the network, field by field.

``aware-agent check`` and ``run`` load settings through the same door, so that what one accepts the other accepts too.
Bounds are generous: they tell a slip (seconds for milliseconds, a minus, a digit too many) from a choice.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from aware_agent.colony.addresses import is_host_address
from aware_agent.colony.council_document import COUNCIL_SIZES
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import MAX_LABEL_VALUE, Kind, check_labels, check_name, is_label_value
from aware_agent.colony.node import BEACON_INTERVAL_S, PRIORITY
from aware_agent.colony.syslog import OFF, PORT
from aware_agent.colony.timing import check_timing
from aware_agent.colony.urls import gateway_url

if TYPE_CHECKING:
    from aware_agent.agent.settings import Settings

PASSWORD_LENGTH = (8, 128)  # NIST SP 800-63B knows no shorter one
QUOTA_MIB = (16, 32768)  # etcd warns from 8192 on; less than 16 a founding may fill
_WAIT_S = (0.1, 86400.0)
_PER_MINUTE = (1.0, 60_000_000.0)
_PER_S = (1.0, 1_000_000.0)
# Linux' own limit; a colon is an alias of old, a slash would be a path below /sys.
_INTERFACE = re.compile(r"[^\s/:\x00-\x20]{1,15}")
_MAX_TEXT = 1024
_BROADCAST = "255.255.255.255"


def check_settings(settings: Settings) -> None:
    """Raise :class:`InvalidInput` that names the field; never shows what may hold a password."""
    _check_text(settings)
    check_name(Kind.COLONY, settings.colony, "colony", where="colony: ")
    check_name(Kind.NODE, settings.name, where="name: ")
    if settings.spare_name:
        check_name(Kind.NODE, settings.spare_name, "spare_name", where="spare_name: ")
    check_labels(settings.labels, where="labels: ")
    _require(is_label_value(settings.zone), "zone", f"is not printable text of at most {MAX_LABEL_VALUE} characters")
    _check_numbers(settings)
    _check_addresses(settings)
    _check_urls(settings)
    _check_paths(settings)
    for proxy in settings.gateway.proxies:
        _require(
            _is_network(proxy),
            "gateway.proxies",
            f"{_shown(proxy)} is no address or network",
            "10.0.0.7 or 10.0.0.0/24",
        )
    for network in settings.outgoing.allow_networks:
        _require(
            _is_network(network),
            "outgoing.allow_networks",
            f"{_shown(network)} is no address or network",
            "10.0.0.7 or 10.0.0.0/24",
        )
    for name in settings.discovery.interfaces:
        _require(
            _INTERFACE.fullmatch(name) is not None and name not in (".", ".."),
            "discovery.interfaces",
            f"{_shown(name)} is not the name of a network interface",
            "as ip link shows it: eth0",
        )
    check_timing(settings.timing)


def _check_text(settings: Settings) -> None:
    """Text with control characters would break lines of logs, files and answers it gets into."""
    for field, text in _texts(settings):
        _require(
            text.isprintable() and len(text) <= _MAX_TEXT,
            field,
            f"is not printable text of at most {_MAX_TEXT} characters",
        )


def _texts(part: msgspec.Struct, where: str = "") -> Iterator[tuple[str, str]]:
    for name, value in msgspec.structs.asdict(part).items():
        if isinstance(value, msgspec.Struct):
            yield from _texts(value, f"{where}{name}.")
        elif isinstance(value, str) and name not in ("colony", "name", "zone"):  # these have rules of their own
            yield f"{where}{name}", value


def _check_numbers(settings: Settings) -> None:
    bounds = (
        ("gateway.port", settings.gateway.port, (1, 65535)),
        ("channel.port", settings.channel.port, (1, 65535)),
        ("discovery.port", settings.discovery.port, (1, 65535)),
        ("council.client_port", settings.council.client_port, (1, 65535)),
        ("council.peer_port", settings.council.peer_port, (1, 65535)),
        ("council.quota_mib", settings.council.quota_mib, QUOTA_MIB),
        ("gateway.max_connections", settings.gateway.max_connections, (16, 1_000_000)),
        ("gateway.max_connections_per_source", settings.gateway.max_connections_per_source, (4, 1_000_000)),
        ("gateway.max_head_bytes", settings.gateway.max_head_bytes, (4096, 1 << 20)),
        ("gateway.first_request_timeout_s", settings.gateway.first_request_timeout_s, (1.0, 3600.0)),
        ("gateway.idle_timeout_s", settings.gateway.idle_timeout_s, (1.0, 3600.0)),
        ("gateway.body_timeout_s", settings.gateway.body_timeout_s, (1.0, 3600.0)),
        ("gateway.requests_per_s", settings.gateway.requests_per_s, _PER_S),
        ("gateway.requests_per_s_per_source", settings.gateway.requests_per_s_per_source, _PER_S),
        ("gateway.requests_per_s_of_strangers", settings.gateway.requests_per_s_of_strangers, _PER_S),
        ("gateway.max_streams", settings.gateway.max_streams, (1, 100_000)),
        ("gateway.max_streams_per_user", settings.gateway.max_streams_per_user, (1, 100_000)),
        ("gateway.hsts_max_age_s", settings.gateway.hsts_max_age_s, (0, 10 * 366 * 24 * 3600)),
        ("gateway.request_burst_s", settings.gateway.request_burst_s, (1.0, 3600.0)),
        ("quota.changes_per_minute", settings.quota.changes_per_minute, _PER_MINUTE),
        ("quota.creations_per_minute", settings.quota.creations_per_minute, _PER_MINUTE),
        ("quota.sessions_per_minute", settings.quota.sessions_per_minute, _PER_MINUTE),
        ("quota.burst_minutes", settings.quota.burst_minutes, (0.1, 1440.0)),
        ("passwords.min_length", settings.passwords.min_length, PASSWORD_LENGTH),
        ("jobs.parallel", settings.jobs.parallel, (1, 64)),
        ("jobs.memory_mib", settings.jobs.memory_mib, (256, 1_000_000)),
        ("audit.archive_mib", settings.audit.archive_mib, (1, 1 << 20)),
        ("tracing.sample_ratio", settings.tracing.sample_ratio, (0.0, 1.0)),
        ("priority", settings.priority, PRIORITY),
        ("discovery.interval_s", settings.discovery.interval_s, BEACON_INTERVAL_S),
        ("discovery.find_timeout_s", settings.discovery.find_timeout_s, _WAIT_S),
        ("store.startup_timeout_s", settings.store.startup_timeout_s, _WAIT_S),
    )
    for field, number, (least, most) in bounds:
        what = "is not a port" if field.endswith("port") else "is out of range"
        _require(least <= number <= most, field, f"{_shown(number)} {what}", f"{least:g} to {most:g}")
    size = settings.council.size
    _require(size in COUNCIL_SIZES, "council.size", f"{_shown(size)} is impossible", "1, 3, 5 or 7")
    channel = settings.channel.port
    _require(
        channel != settings.gateway.port, "channel.port", f"{channel} is the gateway's port too", "give each its own"
    )


def _check_addresses(settings: Settings) -> None:
    for field, address in (("address", settings.address),):
        if address:
            _require(_is_address(address), field, f"{_shown(address)} is not an IP address")
            _require(
                is_host_address(address) and "%" not in address and address != _BROADCAST,
                field,
                f"{_shown(address)} is not an address that other nodes can reach a host at",
                "a unicast address without a zone",
            )
    for field, bind in (("gateway.bind", settings.gateway.bind), ("channel.bind", settings.channel.bind)):
        _require(
            not bind or (_is_address(bind) and not ipaddress.ip_address(bind).is_multicast and bind != _BROADCAST),
            field,
            f"{_shown(bind)} is not an IP address to serve on",
            "an address of this host, or 0.0.0.0 or :: for all of them",
        )


def _check_urls(settings: Settings) -> None:
    for seed in settings.discovery.seeds:
        _require(
            gateway_url(seed) != "",
            "discovery.seeds",
            f"{_shown(seed)} is not the URL of a gateway",
            "https://host:port",
        )
    for endpoint in settings.store.endpoints:
        _require(
            _is_endpoint(endpoint, needs_port=True),
            "store.endpoints",
            f"{_shown(endpoint)} is no etcd endpoint",
            "write host:port",
        )
    for origin in settings.gateway.cors_origins:
        _require(
            "://" in origin and _is_endpoint(origin, needs_port=False) and not origin.endswith("/"),
            "gateway.cors_origins",
            f"{_shown(origin)} is not the origin of a page",
            "https://host or https://host:port, as browsers send it",
        )
    audit = settings.audit
    _require(
        audit.syslog in ("", OFF) or ("://" not in audit.syslog and _is_endpoint(audit.syslog, needs_port=True)),
        "audit.syslog",
        f"{_shown(audit.syslog)} is not where a syslog receiver is",
        f"host:port, usually port {PORT}; or {OFF}",
    )
    _require(
        bool(audit.syslog_certificate_file) == bool(audit.syslog_key_file),
        "audit.syslog_key_file",
        "a certificate and its key belong together",
        "give both, syslog_certificate_file and syslog_key_file, or none",
    )
    _require(
        not settings.tracing.endpoint or _is_collector(settings.tracing.endpoint),
        "tracing.endpoint",
        "is not where a collector can be reached safely",
        "https://host:4318, or http://127.0.0.1:4318 for one on this host; /v1/traces is added",
    )
    s3 = settings.backup.s3_endpoint
    _require(
        not s3 or ("://" in s3 and _is_endpoint(s3, needs_port=False)),
        "backup.s3_endpoint",
        f"{_shown(s3)} is not the URL of an object store",
        "https://host or https://host:port",
    )


def _check_paths(settings: Settings) -> None:
    _require(os.path.isabs(settings.state_dir), "state_dir", f"{_shown(settings.state_dir)} is not an absolute path")
    # A service has no working directory anybody thinks of, and what lies below it would not be found again.
    metrics = settings.gateway.metrics_token_file
    _require(not metrics or os.path.isabs(metrics), "gateway.metrics_token_file", "is not an absolute path")
    for section in ("audit", "backup", "passwords", "jobs", "servers", "tracing"):
        values = msgspec.structs.asdict(getattr(settings, section))
        for name, text in values.items():
            if _is_path(name):
                field = f"{section}.{name}"
                _require(not text or os.path.isabs(text), field, f"{_shown(text)} is not an absolute path")


def _is_path(name: str) -> bool:
    return name in ("directory", "socket") or name.endswith(("_file", "_dir"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_endpoint(text: str, *, needs_port: bool) -> bool:
    """Whether ``text`` is ``host:port`` or ``http(s)://host[:port]`` and nothing more."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        return False
    alone = text.isprintable() and not (
        parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc or " " in text
    )
    fits = port is None or port > 0
    return (
        alone and fits and bool(parts.hostname) and parts.scheme in ("http", "https") and not (needs_port and not port)
    )


def _is_collector(text: str) -> bool:
    """Whether spans may go there: what they tell of users is for nobody on the way."""
    if "://" not in text or text.endswith("/") or not _is_endpoint(text, needs_port=False):
        return False
    parts = urlsplit(text)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def _shown(value: object) -> str:
    """``value`` for a message: short, in one line, and of a URL only what follows a password."""
    if isinstance(value, str):
        return repr(value.rpartition("@")[2][:100])
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"{text[:20]}..."


def _require(condition: bool, field: str, problem: str, hint: str = "") -> None:
    if not condition:
        raise InvalidInput(f"{field} {problem}", field=field, hint=hint)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
