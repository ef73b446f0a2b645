"""The templates of deploy/heat as stacks of a real Heat.

cluster.yaml is created, grown and shrunk by signal, and the colony follows; colony.yaml is a colony from nothing.

The computes are fake, so nothing boots. In place of cloud-init the test takes each server's user data from Nova and
runs what is in it: the real bootstrap, which installs the real agent, joins a real colony on loopback, calls the
gateway's hook and signals Heat's wait condition with the token that Heat made.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloud_support import Cloud

from aware_agent.security.founding_key import make_founding_key
from bench.lab import Lab
from tests.e2e.test_heat_colony import SIZE, beside_each_other, opened
from tests.e2e.test_heat_node import at_home, signed, size
from tests.heat_support import Guest, guest, wheel
from tests.patience import eventually

pytestmark = [pytest.mark.cloud, pytest.mark.filterwarnings("default")]
TEMPLATE = Path(__file__).resolve().parents[2] / "deploy" / "heat" / "cluster.yaml"
WHOLE_COLONY = TEMPLATE.with_name("colony.yaml")
USER_DATA = "OS-EXT-SRV-ATTR:user_data"


class Stack:
    """The stack, and the servers of it that were booted."""

    def __init__(
        self, cloud: Cloud, connection: Any, lab: Lab | None, directory: Path, template: Path = TEMPLATE
    ) -> None:
        self.cloud, self.connection, self.directory, self.template = cloud, connection, directory, template
        self._lab = lab
        self.guests: dict[str, Guest] = {}
        self.open = contextlib.ExitStack()

    @property
    def lab(self) -> Lab:
        """The colony that was there before."""
        assert self._lab is not None
        return self._lab

    def create(self, **parameters: Any) -> None:
        self.connection.create_stack("colony", template_file=str(self.template), wait=False, **parameters)

    def look(self) -> Any:
        return self.connection.orchestration.find_stack("colony")

    def outputs(self) -> dict[str, Any]:
        stack = self.connection.orchestration.get_stack(self.look().id)
        return {output["output_key"]: output["output_value"] for output in stack.outputs or []}

    def settled(self, status: str) -> None:
        def look() -> bool:
            stack = self.look()
            assert "FAILED" not in stack.status, stack.status_reason
            return bool(stack.status == status)

        eventually(look, f"stack is not {status}")

    def servers(self, count: int) -> dict[str, Any]:
        """The stack's servers once there are ``count``, all ACTIVE, by id."""

        def look() -> dict[str, Any] | None:
            found = {server.id: server for server in self.connection.compute.servers()}
            there = len(found) == count and all(server.status == "ACTIVE" for server in found.values())
            return found if there else None

        servers: dict[str, Any] = eventually(look, f"not {count} servers")
        return servers

    def guest_of(self, server: Any) -> Guest:
        """The server with the files of its user data, as cloud-init would write them."""
        # Only an administrator may read another's user data.
        shown = self.cloud.admin.compute.get(f"/servers/{server.id}", microversion="2.3").json()["server"]
        config = yaml.safe_load(base64.b64decode(shown[USER_DATA]))
        values = {Path(file["path"]).name: file["content"] for file in config["write_files"]}
        assert config["runcmd"] == [["sh", "/run/aware-bootstrap/bootstrap.sh"]]
        assert values.pop("bootstrap.sh") == TEMPLATE.with_name("bootstrap.sh").read_text()
        return self.open.enter_context(guest(self.directory, shown["OS-EXT-SRV-ATTR:hostname"], values))

    async def boot(self, server: Any) -> Guest:
        """What cloud-init would do with the user data."""
        made = self.guest_of(server)
        at_home(self.lab, made)
        done = await asyncio.to_thread(made.boot)
        assert done.returncode == 0, done.stdout + done.stderr + made.log
        assert "warning" not in done.stdout, done.stdout + done.stderr
        self.guests[server.id] = made
        return made

    async def boot_new(self, servers: dict[str, Any]) -> None:
        for server in servers.values():
            if server.id not in self.guests:
                await self.boot(server)


@pytest.fixture
def stack_parts(cloud: Cloud, tmp_path: Path) -> Iterator[tuple[Cloud, Any, Path]]:
    """A project of the test's own: stacks have one name, and servers are counted."""
    with cloud.project() as project, project.connect() as connection:
        made = connection.network.create_network(name="net")
        connection.network.create_subnet(network_id=made.id, name="net", ip_version=4, cidr="10.51.0.0/24")
        yield cloud, connection, tmp_path


async def test_a_stack_grows_by_signal_and_the_colony_follows(stack_parts: tuple[Cloud, Any, Path]) -> None:
    cloud, connection, directory = stack_parts
    async with Lab(1) as lab:
        await lab.form()
        stack = Stack(cloud, connection, lab, directory)
        with stack.open:
            stack.create(
                colony=lab.colony,
                join_token=lab.token_file.read_text().strip(),
                seeds=lab.agents["lab-1"].url,
                hook=await signed(lab, uses=5, max_size=5),
                image="tiny",
                flavor="m1.nano",
                network="net",
                agent_source=str(wheel(directory / "wheel")),
                size=2,
                max_size=4,
                cooldown=0,
            )
            await stack.boot_new(stack.servers(2))
            stack.settled("CREATE_COMPLETE")
            await lab.wait_ready(3)
            await _followed(lab, 3)
            _outputs(stack, 2)

            before = set(stack.servers(2))
            answer = connection.session.post(stack.outputs()["scale_out_signal"], json={})
            assert answer.status_code in (200, 201), answer.text
            grown = stack.servers(3)
            assert before < set(grown)
            await stack.boot_new(grown)
            await lab.wait_ready(4)
            await _followed(lab, 4)
            hosts = (await lab.ask("GET", "/v1/inventory")).json()["hosts"]
            assert len(hosts) == 4

            # An update of the stack leaves running servers alone, although it renders their user data anew.
            stack.settled("CREATE_COMPLETE")
            connection.update_stack("colony", template_file=str(TEMPLATE), wait=False, **_changed(stack))
            stack.settled("UPDATE_COMPLETE")
            assert set(stack.servers(3)) == set(grown)

            connection.session.post(stack.outputs()["scale_in_signal"], json={})
            left = stack.servers(2)
            (gone,) = set(grown) - set(left)
            stack.guests[gone].stop(15)
            name = stack.guests[gone].file("/etc/aware/agent.toml").read_text().split('name = "')[1].split('"')[0]
            await _departed(lab, name)


async def test_a_stack_is_a_whole_colony_from_nothing(stack_parts: tuple[Cloud, Any, Path]) -> None:
    cloud, connection, directory = stack_parts
    key = directory / "founding.key"
    key.write_text(make_founding_key("hive", os.urandom(32)).text())
    stack = Stack(cloud, connection, None, directory, WHOLE_COLONY)
    with stack.open:
        stack.create(
            colony="hive",
            founding_key=key.read_text(),
            image="tiny",
            flavor="m1.nano",
            network="net",
            agent_source=str(wheel(directory / "wheel")),
        )
        servers = [stack.guest_of(server) for server in stack.servers(SIZE).values()]
        gateways = beside_each_other(servers)
        booted = await asyncio.gather(*(asyncio.to_thread(server.boot) for server in servers))
        for done, server in zip(booted, servers, strict=True):
            assert done.returncode == 0, done.stdout + done.stderr + server.log
        stack.settled("CREATE_COMPLETE")
        assert len(stack.outputs()["gateway_urls"]) == SIZE
        await asyncio.to_thread(opened, key, gateways[0], directory / "home")


def _changed(stack: Stack) -> dict[str, Any]:
    """The stack's parameters with another join token and agent for servers to come."""
    shown = stack.connection.orchestration.get_stack(stack.look().id).parameters
    known = ("colony", "seeds", "image", "flavor", "network", "size", "max_size", "cooldown")
    return {
        **{key: shown[key] for key in known},
        "size": 3,
        "join_token": stack.lab.token_file.read_text().strip(),
        "agent_source": "aware-agent==99",
    }


def _outputs(stack: Stack, count: int) -> None:
    outputs = stack.outputs()
    addresses = [url.removeprefix("https://").removesuffix(":8443") for url in outputs["gateway_urls"]]
    assert len(addresses) == count
    assert all(address.startswith("10.51.0.") for address in addresses)
    assert outputs["queen_urls"] == [f"https://{address}:8443/v1/queen" for address in addresses]
    assert outputs["size"] == count
    assert outputs["ready"]
    assert outputs["scale_out_alarm"].startswith("http")


async def _followed(lab: Lab, wanted: int) -> None:
    """The spec wants as many nodes as there are."""
    async with asyncio.timeout(30):
        while await size(lab) != wanted:
            await asyncio.sleep(0.1)


async def _departed(lab: Lab, name: str) -> None:
    async with asyncio.timeout(30):
        while (await lab.ask("GET", f"/v1/nodes/{name}")).json()["status"] != "left":
            await asyncio.sleep(0.1)
