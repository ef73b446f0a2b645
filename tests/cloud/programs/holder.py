"""Process 1 of the cloud's namespaces: makes the private mounts and links, then reaps until it is killed.

Run by ``unshare`` as ``holder.py aware-cloud-holder DIRECTORY JSON``. When it ends, the kernel ends every process of
the cloud and removes every bridge, tap and namespace with it. It says "ready" when set up, and its process name then is
``aware-cloud`` (that is how others know, should the one who started it be gone).
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path


def mount(*arguments):
    """Mount in the private mount namespace."""
    subprocess.run(["mount", *arguments], check=True)


def make_mounts(directory, settings):
    """Private /sys (the bridge agent reads /sys/class/net), /run (netns, libvirt, locks) and name resolution."""
    hosts, resolver = Path(os.path.realpath("/etc/hosts")), Path(os.path.realpath("/etc/resolv.conf"))
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for name in ("netns", "libvirt", "lock"):
        Path("/run", name).mkdir()
    own_file(hosts, directory / "hosts", f"127.0.0.1 localhost\n{settings['ip']} {settings['hostname']}\n")
    # A lookup that leaves the namespace would wait for nothing: RabbitMQ would start 40 s later.
    own_file(resolver, directory / "resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")


def own_file(target, source, text):
    """Show ``text`` in place of the machine's file; the target may have vanished below the new /run."""
    source.write_text(text)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.touch()
    mount("--bind", str(source), str(target))


def make_links(settings):
    """The API's address on one veth pair; on another the flat network, whose gateway is this namespace."""
    outer, inner = settings["flat_outer"], settings["flat_inner"]
    for command in (
        "link set lo up",
        "link add api0 type veth peer name api1",
        f"addr add {settings['ip']}/24 dev api0",
        "link set api0 up",
        "link set api1 up",
        f"link add {outer} type veth peer name {inner}",
        f"addr add {settings['gateway']}/24 dev {outer}",
        f"link set {outer} up",
        f"link set {inner} up",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    for name in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"):
        # The second exists only where the kernel has br_netfilter; it belongs to this namespace, as the first does.
        path = Path("/proc/sys") / name
        if path.exists():
            path.write_text("1")


def reap():
    """Forever; orphans of the cloud end up here."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.5)


def main(directory, settings):
    """Set up, say so, stay."""
    socket.sethostname(settings["hostname"])
    make_mounts(directory, settings)
    make_links(settings)
    Path("/proc/self/comm").write_text("aware-cloud")
    print("ready", flush=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    reap()


if __name__ == "__main__":
    main(Path(sys.argv[2]), json.loads(sys.argv[3]))
