"""Real guests: they boot, take a key and user data, are reached by SSH, and hear each other's broadcasts."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_support import Cloud

from tests.patience import eventually

pytestmark = [pytest.mark.cloud, pytest.mark.real, pytest.mark.filterwarnings("default")]

PORT = 20100
USER_DATA = """#cloud-config
runcmd:
  - [touch, /run/user-data-was-here]
"""
LISTEN = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60); "
    f"s.bind(('', {PORT})); print('listening', flush=True); print(s.recvfrom(99)[0].decode())"
)
SEND = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); "
    f"s.sendto(b'who is queen', ('10.232.0.255', {PORT}))"
)


class Guest:
    """A guest by its address; commands go through one SSH connection that stays open."""

    def __init__(self, address: str, key: Path) -> None:
        self.address = address
        silent = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR"}
        shared = {"ControlMaster": "auto", "ControlPath": f"{key.parent}/%h", "ControlPersist": "60"}
        options = {**silent, **shared, "ConnectTimeout": "5", "BatchMode": "yes"}
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        self.ssh = ["ssh", "-F", "none", "-i", str(key), *words, f"debian@{address}"]

    def run(self, command: str) -> str:
        """What the command prints, "" when it fails."""
        done = subprocess.run([*self.ssh, command], capture_output=True, text=True, timeout=120, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def close(self) -> None:
        """End the connection that stayed open."""
        subprocess.run([*self.ssh[:-1], "-O", "exit", self.ssh[-1]], capture_output=True, check=False)


@pytest.fixture(scope="module")
def guests(cloud: Cloud, connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Guest]]:
    """Two guests that SSH reaches."""
    if not cloud.settings.real:
        pytest.skip("this test cloud has no real guests: REAL=1 make cloud-up")
    key = tmp_path_factory.mktemp("ssh") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    connection.compute.create_keypair(name="key", public_key=key.with_suffix(".pub").read_text())
    open_group(connection)
    made = [create(connection, f"guest-{number}") for number in (1, 2)]
    found = [Guest(address_of(connection, server), key) for server in made]
    for guest in found:
        eventually(lambda guest=guest: guest.run("echo up"), f"{guest.address} is not reached by SSH", 300)
    yield found
    for guest in found:
        guest.close()


def open_group(connection: Any) -> None:
    """SSH from everywhere, the beacon's port from one another."""
    group = connection.network.create_security_group(name="guests")
    rule = {"security_group_id": group.id, "direction": "ingress", "ethertype": "IPv4"}
    ssh = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    beacon = {"protocol": "udp", "port_range_min": PORT, "port_range_max": PORT, "remote_group_id": group.id}
    for more in (ssh, beacon):
        connection.network.create_security_group_rule(**rule, **more)


def create(connection: Any, name: str) -> Any:
    """Ask for a guest on the public network."""
    return connection.compute.create_server(
        name=name,
        flavor_id=connection.compute.find_flavor("g.384").id,
        image_id=connection.image.find_image("guest").id,
        networks=[{"uuid": connection.network.find_network("public").id}],
        security_groups=[{"name": "guests"}],
        key_name="key",
        availability_zone="real",
        user_data=base64.b64encode(USER_DATA.encode()).decode(),
    )


def address_of(connection: Any, server: Any) -> str:
    """Its address once it is ACTIVE."""

    def look() -> str:
        now = connection.compute.get_server(server.id)
        assert now.status != "ERROR", now.fault
        return now.addresses["public"][0]["addr"] if now.status == "ACTIVE" else ""

    return str(eventually(look, f"{server.name} is not ACTIVE", 300))


def test_guest_is_ready_for_ansible(guests: list[Guest]) -> None:
    guest = guests[0]
    assert guest.run("hostname") == "guest-1"
    assert guest.run("sudo id -u") == "0"
    assert guest.run("python3 -c 'import sys; print(sys.version_info >= (3, 11))'") == "True"
    eventually(lambda: guest.run("ls /run/user-data-was-here"), "user data did not run", 120)


def test_broadcast_crosses_the_network(guests: list[Guest]) -> None:
    sender, hearer = guests
    with subprocess.Popen([*hearer.ssh, f'python3 -c "{LISTEN}"'], stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout
        assert listening.stdout.readline() == "listening\n"
        sender.run(f'python3 -c "{SEND}"')
        assert listening.stdout.readline() == "who is queen\n"
