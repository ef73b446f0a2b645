"""Checks of the machine that ``aware`` and Ansible run on: can it reach the colony, and will it be believed?"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from aware_agent.agent.host import machine_id, room_in, umask_of
from aware_agent.cli.context import Context
from aware_agent.cli.doctor_look import Look, arrives, look
from aware_agent.cli.doctor_run import Check, Once, Skip, at_once
from aware_agent.cli.verified import Verifier
from aware_agent.colony import judging_host as judge
from aware_agent.colony.errors import AwareError
from aware_agent.colony.finding import Said, doubtful, fine, skipped, wrong
from aware_agent.discovery.replay import WINDOW_S

LARGE = "/openapi.json"  # public, and of hundreds of packets
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_ANSIBLE = (2, 19)


class Controller:
    """What the checks look at. ``trouble``: why there is no context."""

    def __init__(self, context: Context | None, trouble: AwareError | None, *, needed: bool = True) -> None:
        self._context, self.trouble, self.needed = context, trouble, needed
        self.verifier = Once(lambda: Verifier(self.context))
        self.looks = Once(self._look)

    @property
    def context(self) -> Context:
        """Raises Skip when there is none."""
        if self._context is None:
            raise Skip("there is no context to know the colony by")
        return self._context

    @property
    def hosts(self) -> list[str]:
        """Hosts of the endpoints."""
        return [urlsplit(url).hostname or "" for url in self.context.endpoints]

    def answering(self) -> dict[str, Look]:
        """Endpoints that answered. Raises Skip when none did."""
        found = {url: one for url, one in self.looks().items() if not one.trouble}
        if not found:
            raise Skip("no endpoint answers")
        return found

    def _look(self) -> dict[str, Look]:
        tls = self.verifier().stranger()
        found = at_once(self.context.endpoints, lambda url: look(url, tls), limit_s=8.0)
        return {url: found.get(url, Look(trouble="it does not answer in time")) for url in self.context.endpoints}


def check_context(sight: Controller) -> Said:
    """Which colony this machine knows."""
    if sight.trouble is not None:
        if sight.needed:
            raise sight.trouble
        return skipped(f"{sight.trouble.message}: this machine is no controller")
    found = sight.context
    return fine(f"{found.origin} names {len(found.endpoints)} endpoints of colony {found.colony or 'unnamed'}")


def check_token(sight: Controller) -> Said:
    """Whether somebody is logged in, and who else could take the token."""
    found = sight.context
    if found.given_token:
        return fine("an access token comes from the environment")
    if not found.token():
        return skipped("nobody is logged in", "aware login")
    for path in (found.token_file, found.refresh_file):
        if path is not None and path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return wrong(
                f"other users of this machine may read {path}", f"chmod 600 {path}; then aware logout and login"
            )
    return fine(f"only its owner reads the token in {found.token_file}")


def check_authorities(sight: Controller) -> list[Said]:
    """The CAs this machine believes: do they count, and are they those of the colony?"""
    import ssl

    verifier = sight.verifier()
    if sight.context.ca_file is None:
        return [skipped("the context names no CA file: the authorities of this system count")]
    said, now = [], time.time()
    for one in verifier.tls.get_ca_certs():
        subject = dict(part[0] for part in one.get("subject", ()))  # type: ignore[misc]
        name = f"the CA {subject.get('commonName', '?')} in {sight.context.ca_file}"
        begins, ends = (ssl.cert_time_to_seconds(str(one[field])) for field in ("notBefore", "notAfter"))
        said.append(judge.certificate(name, ends, begins, now, authority=True))
    return said or [wrong(f"{sight.context.ca_file} holds no CA", "aware login, or copy state/ca.crt of a node")]


def check_names(sight: Controller) -> Said:
    """Whether host names of endpoints can be looked up."""
    return judge.names(looked_up(sight.hosts))


def check_ports(sight: Controller) -> list[Said]:
    """Whether every endpoint answers by TLS."""
    silent = {url: one.trouble for url, one in sight.looks().items() if one.trouble}
    if not silent:
        return [fine(f"{_many(len(sight.looks()), 'endpoint')} answer")]
    to_do = "start that agent, let its port pass, or correct the endpoints of the context"
    kind = wrong if len(silent) == len(sight.looks()) else doubtful
    return [kind(f"{url}: {reason}", to_do) for url, reason in silent.items()]


def check_certificates(sight: Controller) -> list[Said]:
    """Whether certificates of the endpoints count and name them."""
    return [said for url, one in sight.answering().items() for said in certificate(url, one)]


def certificate(name: str, one: Look, address: str = "") -> list[Said]:
    """Judge what was shown at ``name``, a URL, or at the ``address`` of a node called so; what is fine is said once."""
    shown, what = one.certificate, f"the certificate of {name}"
    if shown is None:
        return [skipped(f"{what} was not seen")]
    needs = address or urlsplit(name).hostname or ""
    said = [
        judge.certificate(what, shown.ends, shown.begins, time.time()),
        judge.certificate_names(what, shown.names, [needs] if _is_address(needs) else []),
    ]
    return [one for one in said if one.to_do] or said[:1]


def check_clock(sight: Controller) -> list[Said]:
    """The clock of this machine, against the kernel's word and the dates of answers."""
    ahead = {url: one.ahead_s for url, one in sight.looks().items() if one.ahead_s is not None}
    return [judge.own_clock(clock_synchronised()), judge.clocks(ahead, WINDOW_S)]


def check_mtu(sight: Controller) -> list[Said]:
    """Whether packets of full size reach the colony and come back."""
    found = sight.answering()
    url = next(iter(found))
    segments = {name: one.segment for name, one in found.items() if one.segment is not None}
    whole = arrives(url, LARGE, sight.verifier().stranger())
    return [judge.path_mtu(segments), judge.large_answers(True, whole, url)]


def check_proxies(sight: Controller) -> Said:
    """Whether a proxy would take what is meant for the colony."""
    return judge.proxies(os.environ, sight.hosts, "this shell")


def check_umask(_: Controller) -> Said:
    """What files of this shell may be by default."""
    mask = umask_of("self")
    return skipped("the kernel does not tell") if mask is None else judge.umask(mask, "this shell")


def check_disk(sight: Controller) -> Said:
    """Room where the context and its token are."""
    directory = sight.context.path.parent if sight.context.path else Path.cwd()
    room = room_in(directory)
    return (
        skipped("the file system does not tell")
        if room is None
        else judge.room(*room, seat=False, where=str(directory))
    )


def check_machine_id(_: object) -> Said:
    """Whether this machine has an id of its own."""
    return judge.machine_id(machine_id())


def check_ansible(_: Controller) -> Said:
    """Whether the collection's programs would run here."""
    from importlib import metadata

    try:
        version = metadata.version("ansible-core")
    except metadata.PackageNotFoundError:
        return skipped(
            "ansible-core is not installed beside this command", "pip install 'aware-agent[ansible]', to run playbooks"
        )
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if number < _ANSIBLE:
        return wrong(f"ansible-core {version} is too old for the collection", "pip install -U 'ansible-core>=2.19'")
    return fine(f"ansible-core {version} runs the collection")


CHECKS: tuple[Check[Controller], ...] = (
    Check("context", check_context),
    Check("token", check_token),
    Check("authorities", check_authorities),
    Check("names", check_names),
    Check("ports", check_ports),
    Check("certificates", check_certificates),
    Check("clock", check_clock),
    Check("mtu", check_mtu, 20.0),
    Check("proxies", check_proxies),
    Check("umask", check_umask),
    Check("disk", check_disk),
    Check("machine-id", check_machine_id),
    Check("ansible", check_ansible),
)


# Helpers of all scopes -------------------------------------------------------------------------------------------


def looked_up(hosts: Iterable[str]) -> Mapping[str, tuple[tuple[str, ...], str]]:
    """Names among ``hosts`` with the addresses they resolve to, or why they do not."""
    wanted = {host for host in hosts if host and not _is_address(host)}
    found = at_once(wanted, _resolve, limit_s=6.0)
    return {host: found.get(host, ((), "the resolver does not answer in time")) for host in sorted(wanted)}


def _resolve(host: str) -> tuple[tuple[str, ...], str]:
    try:
        return tuple({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}), ""
    except (OSError, UnicodeError) as error:
        return (), getattr(error, "strerror", None) or str(error)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Timex(ctypes.Structure):
    """The beginning of struct timex; the kernel writes all 208 bytes of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock_synchronised() -> bool | None:
    """What the kernel says (adjtimex(2), only asked); None when it does not tell."""
    found = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else not found.status & _UNSYNCHRONISED


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
