"""``tests/hosts/lab``: up, down, status, list, start, kill, stop, pause, impair, shell, enter, play, inventory."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hostlab import containers, image, impairments, inventory, network, profiles
from hostlab.programs import attempt
from hostlab.settings import CHECKOUT, RUN, Lab, LabError, hosts, lab, number, suite


@contextlib.contextmanager
def locked(the_lab: Lab, limit_s: float = 900) -> Iterator[None]:
    """One at a time in a lab. Raises LabError when another takes longer than ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while (descriptor := lock(the_lab)) is None:
        if time.monotonic() > deadline:
            raise LabError(f"another run has been at work on lab {the_lab.name} for {limit_s:.0f} s")
        time.sleep(0.1)
    try:
        yield
    finally:
        os.close(descriptor)


def lock(the_lab: Lab) -> int | None:
    """The lab's lock, None while another has it. ``down`` removes it with its directory: hence the second look."""
    the_lab.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = the_lab.directory / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except OSError:
        pass  # another has it, or just removed it
    os.close(descriptor)
    return None


def need_root() -> None:
    """Raises LabError."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and containers: run this as root (sudo)")


def up(arguments: argparse.Namespace) -> int:
    """Bring the lab to COUNT hosts, all running; what there is already stays as it is."""
    began = time.monotonic()
    the_lab, wanted, profile = lab(arguments.name), hosts(arguments.count), profiles.chosen()
    name = image.prepare(suite())
    with locked(the_lab):
        network.ensure(the_lab)
        there = containers.states(the_lab)
        needless = {host: state for host, state in there.items() if host not in wanted}
        discard(the_lab, needless)
        for host in wanted:
            network.attach(the_lab, host)
            if host not in there:
                containers.create(the_lab, host, name, profile, profiles.host_name(host, profile))
            containers.start(the_lab, host, there.get(host, "created"))
        known = containers.profiles(the_lab)
        inventory.write(the_lab, {host: profiles.SSH_PORT[known[host]] for host in wanted})
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda host: containers.wait(the_lab, host), wanted))
            list(pool.map(lambda host: profiles.apply(the_lab, host, known[host]), wanted))
    sick = [host for host in wanted if containers.health(the_lab, host) != "running"]
    print(f"lab {the_lab.name}: {len(wanted)} hosts in {time.monotonic() - began:.1f} s")
    for host in sick:
        print(f"{host} is degraded: tests/hosts/lab shell {host} systemctl --failed", file=sys.stderr)
    return 0


def discard(the_lab: Lab, needless: Mapping[str, str]) -> None:
    """Remove some hosts with all that belongs to them."""
    for host in needless:
        impairments.undelay(the_lab, host)
    containers.remove(the_lab, needless)
    for host in needless:
        network.detach(the_lab, host)


def down(arguments: argparse.Namespace) -> int:
    """Remove the lab, whatever there is of it."""
    the_lab = lab(arguments.name)
    with locked(the_lab):
        impairments.clear(the_lab)
        for socket in (the_lab.directory / "ssh").glob("*"):
            # Ansible's master connections outlive it by a minute, and would hold the lab's network.
            attempt(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "lab"])
        if image.DIRECTORY.joinpath("storage").exists():
            containers.remove(the_lab, containers.states(the_lab))
        network.remove(the_lab)
        shutil.rmtree(the_lab.directory, ignore_errors=True)
    print(f"lab {the_lab.name} is gone")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """One line a host, and what is wrong with the network. Exit code 1 unless all of them run."""
    the_lab = lab(arguments.name)
    network.need(the_lab)
    found = containers.states(the_lab)
    well = bool(found)
    for host, state in found.items():
        word = containers.health(the_lab, host) if state == "running" else state
        well = well and word == "running"
        print(f"{host:5} 10.77.0.{10 + number(host):<4} {word or 'starting'}")
    for line in impairments.show(the_lab):
        print(line)
    return 0 if well else 1


def purge(_: argparse.Namespace) -> int:
    """Remove image, keys and podman's storage as well. Raises LabError while a lab is there."""
    if there := labs():
        raise LabError(f"labs are still here, down with them first: {' '.join(there)}")
    if image.DIRECTORY.joinpath("storage").exists():
        image.purge()
    print(f"{image.DIRECTORY} is gone")
    return 0


def labs() -> list[str]:
    """Names of labs of which anything is there."""
    found = {path.name for path in (RUN / "labs").glob("*")} | network.labs()
    if image.DIRECTORY.joinpath("storage").exists():
        found |= containers.labs()
    return sorted(found)


def list_labs(_: argparse.Namespace) -> int:
    """The names of all labs, also of those whose ``up`` or ``down`` was killed."""
    for name in labs():
        print(name)
    return 0


def change(arguments: argparse.Namespace) -> int:
    """start, kill, stop, pause."""
    the_lab = lab(arguments.name)
    with locked(the_lab):
        network.need(the_lab)
        for host in arguments.hosts:
            found = containers.states(the_lab)
            if host not in found:
                raise LabError(f"lab {the_lab.name} has no host {host}, it has {' '.join(found) or 'none'}")
            change_one(the_lab, host, arguments.verb, found[host])
    return 0


def change_one(the_lab: Lab, host: str, verb: str, state: str) -> None:
    """One of them, unless it is so already."""
    if verb == "start":
        network.plug(the_lab, host)
        containers.start(the_lab, host, state)
        containers.wait(the_lab, host)
    elif verb == "pause" and state == "running":
        containers.pause(the_lab, host)
    elif verb in ("kill", "stop") and state in ("running", "paused"):
        if verb == "stop" and state == "paused":
            raise LabError(f"{host} is paused and cannot shut down: start it, or kill it")
        (containers.kill if verb == "kill" else containers.stop)(the_lab, host)
    elif verb == "pause":
        raise LabError(f"{host} does not run: tests/hosts/lab start {host}")


def impair(arguments: argparse.Namespace) -> int:
    """Cut, heal, link, delay, clear, show."""
    the_lab = lab(arguments.name)
    with locked(the_lab):
        network.need(the_lab)
        impairments.command(the_lab, arguments)
    return 0


def become(argv: list[str], **variables: str) -> int:
    """Be replaced by the command."""
    sys.stdout.flush()
    os.environ.update(variables)
    os.execvp(argv[0], argv)


def shell(arguments: argparse.Namespace) -> int:
    """A command in a host, by default bash."""
    return become(containers.inside(lab(arguments.name), arguments.host, *(arguments.command or ["bash", "-l"])))


def enter(arguments: argparse.Namespace) -> int:
    """A command in the lab's network, with the machine's files and the environment that Ansible needs."""
    the_lab = lab(arguments.name)
    network.need(the_lab)
    return become([*network.entering(the_lab), *(arguments.command or ["bash"])], **inventory.environment(the_lab))


def play(arguments: argparse.Namespace) -> int:
    """ansible-playbook in the lab's network, with the lab's inventory."""
    the_lab = lab(arguments.name)
    network.need(the_lab)
    ours = CHECKOUT / ".venv/bin/ansible-playbook"
    program = str(ours) if ours.exists() else shutil.which("ansible-playbook")
    if program is None:
        raise LabError("ansible-playbook is missing: make setup")
    path = f"{Path(program).parent}:{os.environ.get('PATH', '')}"
    variables = {**inventory.environment(the_lab), "PATH": path}
    return become([*network.entering(the_lab), program, *arguments.command], **variables)


def print_inventory(arguments: argparse.Namespace) -> int:
    """The inventory of the hosts there are, or of COUNT that might be."""
    the_lab = lab(arguments.name)
    made = containers.profiles(the_lab)
    chosen = hosts(arguments.count) if arguments.count else list(made)
    known = {host: profiles.SSH_PORT[made.get(host, profiles.chosen())] for host in chosen}
    if not known:
        raise LabError(f"lab {the_lab.name} has no hosts: tests/hosts/lab up, or say --count")
    print(inventory.text(the_lab, known, arguments.connection, arguments.etcd), end="")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="lab", description="Debian hosts with systemd (docs/testing-hosts.md).")
    verbs = top.add_subparsers(dest="verb", required=True)

    def verb(name: str, do: object, text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text)
        made.add_argument("--name", help="which lab, default AWARE_LAB or 'lab'")
        made.set_defaults(do=do)
        return made

    verb("up", up, "bring it up, or what is missing of it").add_argument(
        "--count", type=int, default=3, help="of hosts, default 3; 0 is a network without hosts"
    )
    verb("down", down, "end it; nothing is left")
    verb("purge", purge, "remove the image too, once no lab is left")
    verb("status", status, "one line a host")
    verb("list", list_labs, "the names of all labs")
    for name, text in (
        ("start", "boot hosts, or wake paused ones, and wait for them"),
        ("kill", "power hosts off; their disks stay"),
        ("stop", "shut hosts down in order"),
        ("pause", "freeze hosts; start wakes them"),
    ):
        verb(name, change, text).add_argument("hosts", nargs="+", metavar="HOST")
    impairments.add_parser(verb("impair", impair, "break the network"))
    inside = verb("shell", shell, "run a command in a host")
    inside.add_argument("host", metavar="HOST")
    inside.add_argument("command", nargs=argparse.REMAINDER)
    for name, do, text in (
        ("enter", enter, "run a command in the lab's network"),
        ("play", play, "ansible-playbook in the lab's network, with its inventory"),
    ):
        verb(name, do, text).add_argument("command", nargs=argparse.REMAINDER)
    printing = verb("inventory", print_inventory, "print an inventory for Ansible")
    printing.add_argument("--count", type=int, help="of so many hosts, whether they exist or not")
    printing.add_argument("--etcd", type=int, default=0, help="so many hosts run etcd, default 3")
    printing.add_argument("--connection", choices=inventory.CONNECTIONS, default="nsenter")
    return top


def main() -> int:
    """Exit code: 0 done, 1 not done with a line that says why, else the command's own (shell, enter, play)."""
    arguments = parser().parse_args()
    try:
        need_root()
        code: int = arguments.do(arguments)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on, or tests/hosts/lab down", file=sys.stderr)
        return 130
    return code
