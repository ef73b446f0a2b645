"""What can be wrong with the lab's network: cuts between pairs, pulled cables, slow and lossy lines.

The kernel keeps cuts and cables; a slow line is a program of ours (programs/slowline.py), recorded by its pid.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import time

from hostlab import containers, network
from hostlab.programs import PATH, attempt, birth, end, remember, remembered, run
from hostlab.settings import HERE, Lab, LabError, address

TABLE = "aware_cuts"


def _nft(lab: Lab, script: str) -> str:
    return run("ip", "netns", "exec", lab.namespace, "nft", "--file", "-", stdin=script)


def cuts(lab: Lab) -> list[tuple[str, str]]:
    """Pairs that do not hear each other."""
    listed = attempt(["ip", "netns", "exec", lab.namespace, "nft", "list", "table", "bridge", TABLE]).stdout
    found = {line.partition('comment "')[2].partition('"')[0] for line in listed.splitlines() if "comment" in line}
    return sorted((pair.split()[0], pair.split()[1]) for pair in found)


def _rules(one: str, other: str) -> list[str]:
    """Nothing passes between two ports of the bridge. The controller is the bridge itself."""
    # d-h1 stands for v-h1 while the line is slow.
    ports = {host: f"{{ v-{host}, d-{host} }}" for host in (one, other)}
    comment = f'counter drop comment "{one} {other}"'
    if other == "controller":
        return [
            f"add rule bridge {TABLE} {chain} {way} {ports[one]} {comment}"
            for chain, way in (("to_us", "iifname"), ("from_us", "oifname"))
        ]
    return [
        f"add rule bridge {TABLE} across iifname {ports[here]} oifname {ports[there]} {comment}"
        for here, there in ((one, other), (other, one))
    ]


def set_cuts(lab: Lab, pairs: list[tuple[str, str]]) -> None:
    """Exactly these pairs, in one transaction."""
    script = [f"add table bridge {TABLE}", f"delete table bridge {TABLE}"]
    if pairs:
        script.append(f"add table bridge {TABLE}")
        for chain, hook in (("across", "forward"), ("to_us", "input"), ("from_us", "output")):
            script.append(f"add chain bridge {TABLE} {chain} {{ type filter hook {hook} priority 0; }}")
        script += itertools.chain.from_iterable(_rules(one, other) for one, other in pairs)
    _nft(lab, "\n".join(script) + "\n")


def pair(one: str, other: str) -> tuple[str, str]:
    """In a fixed order, the controller last. Raises LabError."""
    for each in (one, other):
        address(each)
    if one == other:
        raise LabError(f"{one} cannot be cut off from itself")
    first, second = sorted((one, other), key=lambda each: (each == "controller", len(each), each))
    return first, second


def between(lefts: str, rights: str) -> list[tuple[str, str]]:
    """All pairs of two lists such as "h1,h2" and "h3,controller"."""
    return sorted({pair(left, right) for left in lefts.split(",") for right in rights.split(",")})


def delays(lab: Lab) -> dict[str, dict[str, object]]:
    """Hosts with a slow line that still runs."""
    found = {path.stem.partition("-")[2]: remembered(path) for path in sorted(lab.directory.glob("line-*.json"))}
    return {host: known for host, known in found.items() if known}


def undelay(lab: Lab, host: str) -> None:
    """The host's line as it was."""
    end(lab.directory / f"line-{host}.json")
    if lab.namespace in network.names(lab):
        # The program puts the cable back itself, unless it was killed.
        attempt(["ip", "-n", lab.namespace, "link", "set", network.veth(host), "master", network.BRIDGE, "up"])


def delay(lab: Lab, host: str, **faults: float) -> None:
    """A slow line: ``delay`` and ``jitter`` in milliseconds each way, ``loss`` and ``duplicate`` in percent."""
    undelay(lab, host)
    program = ["/usr/bin/python3", "-I", str(HERE / "programs/slowline.py"), network.veth(host), network.BRIDGE]
    options = [f"--{name}={value}" for name, value in faults.items()]
    log = lab.directory / f"line-{host}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*network.entering(lab), *program, *options],
            env={**os.environ, "PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    remember(lab.directory / f"line-{host}.json", process.pid, **faults)
    deadline = time.monotonic() + 20
    while "ready" not in log.read_text():
        if process.poll() is not None or birth(process.pid) is None or time.monotonic() > deadline:
            undelay(lab, host)
            raise LabError(f"the slow line of {host} did not start: {log.read_text().strip()[-300:]}")
        time.sleep(0.05)


def clear(lab: Lab) -> None:
    """No cut, no pulled cable, no slow line."""
    for path in lab.directory.glob("line-*.json"):
        undelay(lab, path.stem.partition("-")[2])
    if lab.namespace in network.names(lab):
        set_cuts(lab, [])
        for name in network.names(lab):
            host = name.removeprefix(lab.namespace).removeprefix(".")
            # A host that is off stays unplugged: the kernel would answer in its place.
            if host and containers.runs(lab, host):
                network.plug(lab, host)


def show(lab: Lab) -> list[str]:
    """One line for everything that is wrong."""
    lines = [f"cut   {one} {other}" for one, other in cuts(lab)]
    links = json.loads(run("ip", "-j", "-n", lab.namespace, "link", "show") or "[]")
    ports = {link["ifname"]: link for link in links if link["ifname"].startswith("v-")}
    lines += [f"down  {name[2:]}" for name, link in sorted(ports.items()) if "UP" not in link["flags"]]
    for host, known in delays(lab).items():
        faults = [f"{name}={value}" for name, value in known.items() if name not in ("pid", "birth")]
        lines.append(f"slow  {host} {' '.join(faults)}")
    return lines


def add_parser(parser: argparse.ArgumentParser) -> None:
    """``lab impair ...``."""
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, text in (("cut", "no packet passes between them"), ("heal", "undo a cut")):
        kind = kinds.add_parser(name, help=text)
        kind.add_argument("lefts", metavar="A[,B...]")
        kind.add_argument("rights", metavar="C[,D...]", help="may be 'controller'")
    kind = kinds.add_parser("link", help="pull or plug a cable")
    kind.add_argument("host", metavar="HOST")
    kind.add_argument("state", choices=("up", "down"))
    kind = kinds.add_parser("delay", help="a slow or lossy line; all zero is as before")
    kind.add_argument("host", metavar="HOST")
    kind.add_argument("--delay", type=float, default=0, help="milliseconds, each way")
    kind.add_argument("--jitter", type=float, default=0, help="milliseconds")
    kind.add_argument("--loss", type=float, default=0, help="percent of the packets")
    kind.add_argument("--duplicate", type=float, default=0, help="percent of the packets")
    kinds.add_parser("clear", help="undo all of it")
    kinds.add_parser("show", help="one line for everything that is wrong")


def command(lab: Lab, arguments: argparse.Namespace) -> None:
    """Do what ``add_parser`` read. Raises LabError."""
    kind = arguments.kind
    if kind in ("cut", "heal"):
        now, named = set(cuts(lab)), set(between(arguments.lefts, arguments.rights))
        set_cuts(lab, sorted(now | named if kind == "cut" else now - named))
    elif kind == "link":
        (network.plug if arguments.state == "up" else network.unplug)(lab, arguments.host)
    elif kind == "delay":
        faults = {name: getattr(arguments, name) for name in ("delay", "jitter", "loss", "duplicate")}
        if any(faults.values()):
            delay(lab, arguments.host, **faults)
        else:
            undelay(lab, arguments.host)
    elif kind == "clear":
        clear(lab)
    elif kind == "show":
        print("\n".join(show(lab) or ["nothing is impaired"]))
