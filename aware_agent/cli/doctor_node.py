"""Checks of the host an agent runs on, or shall run on, by the settings of that agent. Nothing is changed or sent.

Whether the agent runs is read from the kernel's list of locks, so that looking never holds the lock an agent starts
with. What only the agent's user may read is skipped for everybody else, and says so.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from aware_agent.agent.certificate_fields import not_after
from aware_agent.agent.host import PROC, mtu_of, room_in, umask_of
from aware_agent.agent.settings import Settings, load_settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.cli.doctor_controller import check_machine_id, clock_synchronised, looked_up
from aware_agent.cli.doctor_etcd import etcd_findings
from aware_agent.cli.doctor_look import Look, fetch_text, look
from aware_agent.cli.doctor_run import Check, Once, Skip, at_once
from aware_agent.cli.processes import command_line
from aware_agent.colony import judging_host as judge
from aware_agent.colony.finding import Said, doubtful, fine, skipped, wrong
from aware_agent.discovery.beacon import MAX_SIZE, Beacon, Kind, decode
from aware_agent.discovery.interfaces import choose_links
from aware_agent.discovery.remembered import load_remembered
from aware_agent.discovery.replay import WINDOW_S
from aware_agent.security.keyring import fingerprint

SYNCS, SYNC_BYTES, SYNC_LIMIT_S = 60, 8192, 4.0
LISTEN_S = 12.0  # two of the usual intervals of beacons, and a little
_MOST_PEERS = 16


class Node:
    """What the checks look at."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.settings = Once(lambda: load_settings(config, os.environ))
        self.state = Once(self._load)
        self.looks = Once(self._look)

    @property
    def wanted(self) -> Settings:
        """The settings. Raises Skip when they cannot be used: one check tells why."""
        try:
            return self.settings()
        except Exception:
            raise Skip("the settings cannot be used: see settings") from None

    @property
    def state_dir(self) -> StateDir:
        """Where the node keeps itself."""
        return StateDir(Path(self.wanted.state_dir))

    @property
    def joined(self) -> NodeState:
        """Raises Skip for a node that has not joined, or whose state cannot be used."""
        try:
            state = self.state()
        except Exception:
            raise Skip("the state cannot be used or read: see state") from None
        if state is None:
            raise Skip("this node has not joined a colony yet")
        return state

    @property
    def pid(self) -> int | None:
        """Of the agent that runs with this state directory; None when none does."""
        return lock_holder(self.state_dir.path / ".lock")

    def trust(self) -> ssl.SSLContext:
        """Believes certificates of the colony, whatever their name."""
        tls = ssl.create_default_context(cadata=self.joined.ca.decode("ascii"))
        tls.check_hostname = False
        return tls

    def _load(self) -> NodeState | None:
        path = self.state_dir.path
        if not path.exists():
            return None
        os.listdir(path)  # raises PermissionError for whoever may not look
        return self.state_dir.load()

    def _look(self) -> dict[str, Look]:
        tls = self.trust()
        urls = [self.wanted.url, *load_remembered(self.state_dir.peers_path), *self.wanted.discovery.seeds]
        asked = list(dict.fromkeys(urls))[:_MOST_PEERS]
        found = at_once(asked, lambda url: look(url, tls), limit_s=8.0)
        return {url: found.get(url, Look(trouble="it does not answer in time")) for url in asked}


def check_settings(sight: Node) -> Said:
    """Whether the settings can be used."""
    found = sight.settings()
    return fine(f"{sight.config} is fine: node {found.name} of colony {found.colony}")


def check_state(sight: Node) -> Said:
    """Whether the state directory is whole and closed to others."""
    path = sight.state_dir.path
    state = sight.state()
    if state is None:
        return skipped(f"{path} holds no membership yet", "start the agent: it joins with the token its settings name")
    if path.stat().st_mode & 0o077:
        return doubtful(f"other users may look into {path}", f"chmod 700 {path}")
    kind = "may reign" if state.membership.whole else "is a worker"
    return fine(f"{path} is whole: {state.identity.name} {kind} and believes generation {state.membership.generation}")


def check_agent(sight: Node) -> list[Said]:
    """Whether the agent runs, and what its own gateway says of its health."""
    pid = sight.pid
    if pid is None:
        return [
            wrong("no agent runs with this state directory", "systemctl start aware-agent; its log says why it ended")
        ]
    said = [fine(f"the agent runs as process {pid}")]
    own = sight.looks()[sight.wanted.url]
    if own.trouble:
        said.append(
            wrong(f"its gateway {sight.wanted.url} does not answer: {own.trouble}", "journalctl -u aware-agent")
        )
    elif own.ready:
        said.append(doubtful(f"its gateway answers that it is not ready: {own.ready}", "journalctl -u aware-agent"))
    else:
        said.append(fine(f"its gateway {sight.wanted.url} says that it is ready"))
    return said


def check_disk_latency(sight: Node) -> Said:
    """How long the disk takes to keep what is written: each write of an agent and of etcd waits for it."""
    return judge.sync_times(
        list(sync_times(sight.state_dir.path)), seat=sight.wanted.runs_etcd, where=sight.wanted.state_dir
    )


def sync_times(directory: Path, *, number: int = SYNCS, limit_s: float = SYNC_LIMIT_S) -> Iterator[float]:
    """Seconds of each of ``number`` writes of 8 KiB with fdatasync, as etcd does them; ends early after ``limit_s``.

    The file has no name, so that nothing is left behind by a kill. Raises OSError.
    """
    descriptor = os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    end, block = time.monotonic() + limit_s, bytes(SYNC_BYTES)
    try:
        for _ in range(number):
            began = time.monotonic()
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            yield time.monotonic() - began
            if time.monotonic() > end:
                return
    finally:
        os.close(descriptor)


def check_disk(sight: Node) -> Said:
    """Room in the state directory."""
    path = next((one for one in (sight.state_dir.path, *sight.state_dir.path.parents) if one.exists()), Path("/"))
    room = room_in(path)
    return (
        skipped("the file system does not tell")
        if room is None
        else judge.room(*room, seat=sight.wanted.runs_etcd, where=str(path))
    )


def check_certificates(sight: Node) -> list[Said]:
    """Whether the node's certificates count, name it, and are of CAs the colony believes."""
    state, now = sight.joined, time.time()
    began = state.membership.issued_at
    said = [
        judge.certificate("the node's certificate", not_after(state.certificate), began, now),
        judge.certificate("the node CA", not_after(state.ca), 0, now, authority=True),
        judge.certificate_names("the node's certificate", state.membership.addresses, [sight.wanted.address])
        if state.membership.addresses
        else skipped("which addresses the certificate names is known after its first renewal"),
    ]
    if state.council is not None:
        said.append(judge.certificate("its certificate for etcd", not_after(state.council.certificate), began, now))
        said.append(judge.certificate("the council CA", not_after(state.council.ca), 0, now, authority=True))
    return [one for one in said if one.to_do] or said[:1]


def check_pin(sight: Node) -> Said:
    """Whether the CAs this node believes are those that other members serve now."""
    mine, tls = fingerprint(sight.joined.ca), sight.trust()
    for url, one in sight.looks().items():
        if one.trouble or url == sight.wanted.url:
            continue
        if fingerprint(fetch_text(url, "/v1/ca", tls).encode()) == mine:
            return fine(f"{url} believes the same CAs")
        return doubtful(
            f"{url} believes other CAs than this node", "a rotation is under way or was missed: aware rotation status"
        )
    return skipped("no other member answers")


def check_ports(sight: Node) -> list[Said]:
    """Whether the agent's ports take connections; while it does not run, whether they are free."""
    settings = sight.wanted
    ports = [("gateway", settings.gateway.bind, settings.gateway.port)]
    state = sight.state() if sight.state_dir.path.exists() else None
    if settings.runs_etcd or (state is not None and state.membership.whole):
        ports.append(("channel", settings.channel.bind, settings.channel.port))
    runs = sight.pid is not None
    said = [one for name, host, port in ports if (one := _port(name, host, port, runs=runs)).to_do]
    told = ", ".join(f"{name} {port}" for name, _, port in ports)
    return said or [fine(f"ports {'take connections' if runs else 'are free'}: {told}")]


def _port(name: str, host: str, port: int, *, runs: bool) -> Said:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        if runs:
            probe.settimeout(3.0)
            here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
            try:
                probe.connect((here, port))
            except OSError as error:
                return wrong(f"{name} port {port} on {host} takes no connection: {error}", "journalctl -u aware-agent")
            return fine("")
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return wrong(
                    f"{name} port {port} on {host} belongs to another program", f"ss -ltnp 'sport = :{port}' names it"
                )
            return wrong(f"{name} port {port} on {host}: {error.strerror}", "correct address and bind in the settings")
        return fine("")


def check_clock(sight: Node) -> list[Said]:
    """The clock of this host, against the kernel's word and the members' dates."""
    said = [judge.own_clock(clock_synchronised())]
    try:
        ahead = {url: one.ahead_s for url, one in sight.looks().items() if one.ahead_s is not None}
    except Skip as skip:
        return [*said, skip.said]
    return [*said, judge.clocks(ahead, WINDOW_S)]


def check_broadcast(sight: Node) -> Said:
    """Whether beacons of other members come to this host; it only listens."""
    settings, state = sight.wanted, sight.joined
    if not settings.discovery.broadcast:
        return skipped("discovery.broadcast is off: seeds find the colony")
    links = choose_links(settings.address, settings.discovery.interfaces)
    if not links:
        return skipped(f"no interface with {settings.address} can broadcast: seeds find the colony")
    keys = state.membership.keyring().beacon_keys()
    own = {settings.url}
    others = len([url for url in load_remembered(sight.state_dir.peers_path) if url not in own])
    heard, refused = listen(links[0].broadcast, settings, keys, state.identity.id)
    return judge.broadcast(heard, refused, LISTEN_S, others, settings.discovery.port)


def listen(broadcast: str, settings: Settings, keys: Mapping[str, bytes], own: str) -> tuple[list[str], int]:
    """Names of other members whose beacons came, and how many datagrams were not the colony's.

    Ends with the first other member, or after :data:`LISTEN_S`. Raises OSError.
    """
    refused, end = 0, time.monotonic() + LISTEN_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the agent's: each hears every broadcast
        ear.bind((broadcast, settings.discovery.port))
        while (left := end - time.monotonic()) > 0:
            if not select.select([ear], [], [], left)[0]:
                break
            beacon = decode(
                ear.recv(MAX_SIZE + 1),
                lambda kind, key: keys.get(key) if kind is Kind.ANNOUNCE else None,
                settings.colony,
            )
            if not isinstance(beacon, Beacon):
                refused += 1
            elif beacon.sender != own:
                return [beacon.name], refused
    return [], refused


def check_mtu(sight: Node) -> list[Said]:
    """The MTU of the node's interface, and of the paths to other members."""
    interface, mtu = mtu_of(sight.wanted.address)
    said = [judge.link_mtu(mtu, interface)]
    try:
        segments = {url: one.segment for url, one in sight.looks().items() if one.segment is not None}
    except Skip as skip:
        return [*said, skip.said]
    return [*said, judge.path_mtu(segments)]


def check_names(sight: Node) -> Said:
    """Whether host names in the settings can be looked up."""
    settings = sight.wanted
    seeds = [urlsplit(seed if "://" in seed else f"//{seed}").hostname or "" for seed in settings.discovery.seeds]
    stores = [urlsplit(end if "://" in end else f"//{end}").hostname or "" for end in settings.store.endpoints]
    return judge.names(looked_up([*seeds, *stores]))


def check_proxies(sight: Node) -> Said:
    """Whether the agent's environment names a proxy."""
    pid = sight.pid
    if pid is None:
        raise Skip("the agent does not run")
    raw = (PROC / str(pid) / "environ").read_bytes()
    pairs = (part.decode(errors="replace").partition("=") for part in raw.split(b"\0") if part)
    hosts = [urlsplit(url).hostname or "" for url in load_remembered(sight.state_dir.peers_path)]
    return judge.proxies({name: value for name, _, value in pairs}, [sight.wanted.address, *hosts], "the agent")


def check_umask(sight: Node) -> Said:
    """What files of the agent may be by default."""
    pid = sight.pid
    mask = umask_of(pid if pid is not None else "self")
    whose = "the agent" if pid is not None else "this shell"
    return skipped("the kernel does not tell") if mask is None else judge.umask(mask, whose)


def check_etcd(sight: Node) -> list[Said]:
    """Version and latency of etcd, asked with the node's own certificate."""
    return etcd_findings(sight.wanted, sight.joined)


CHECKS: tuple[Check[Node], ...] = (
    Check("settings", check_settings),
    Check("state", check_state),
    Check("agent", check_agent, 15.0),
    Check("ports", check_ports),
    Check("disk", check_disk),
    Check("disk-latency", check_disk_latency, 15.0),
    Check("certificates", check_certificates),
    Check("pin", check_pin, 20.0),
    Check("etcd", check_etcd, 20.0),
    Check("clock", check_clock, 15.0),
    Check("broadcast", check_broadcast, LISTEN_S + 8.0),
    Check("mtu", check_mtu, 15.0),
    Check("names", check_names),
    Check("proxies", check_proxies),
    Check("umask", check_umask),
    Check("machine-id", check_machine_id),
)


def lock_holder(path: Path) -> int | None:
    """Process that holds an flock on ``path``, from the kernel's list; None when nobody does. Raises OSError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    for line in (PROC / "locks").read_text(encoding="ascii", errors="replace").splitlines():
        words = line.split()
        if len(words) < 6 or words[1] != "FLOCK" or words[3] != "WRITE" or not words[4].isdecimal():
            continue
        where, _, inode = words[5].rpartition(":")
        # Some file systems (btrfs, overlays) tell another device here than to stat: then the program has to be ours.
        if inode == str(status.st_ino) and (where == device or _is_agent(int(words[4]))):
            return int(words[4])
    return None


def _is_agent(pid: int) -> bool:
    return any(Path(word).name in ("aware-agent", "aware_agent.daemon") for word in command_line(pid)[:3])
