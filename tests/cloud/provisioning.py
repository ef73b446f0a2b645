"""A project of its own in the test cloud, and the module as a process that can be killed."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openstack
import pytest

RUNNER = Path(__file__).with_name("run_module.py")
ADMIN = "aware-test-admin"


@dataclass
class Project:
    """One project; everything in it was made by the test that has it."""

    cloud: dict[str, Any]
    id: str
    connection: Any
    admin: Any
    colony: str = "bee"
    extra: dict[str, Any] = field(default_factory=dict)

    def seen_by(self, user: Project) -> Project:
        """The same project, as the user of another one."""
        domains = {"user_domain_id": "default", "project_domain_id": "default"}
        auth = {**user.cloud["auth"], **domains, "project_name": self.cloud["auth"]["project_name"]}
        cloud = {**self.cloud, "auth": auth}
        connection = openstack.connect(**cloud, load_yaml_config=False, load_envvars=False)
        return Project(cloud, self.id, connection, self.admin, self.colony)

    def options(self, size: int | None = None, **more: Any) -> dict[str, Any]:
        """Options for openstack_cluster."""
        infrastructure = {
            "image": "tiny",
            "flavor": "m1.tiny",
            "networks": ["public"],
            **more.pop("infrastructure", {}),
        }
        given = {"cloud": self.cloud, "colony": self.colony, "infrastructure": infrastructure, "timeout": 240, **more}
        return given if size is None else {**given, "size": size}

    def start(
        self,
        options: dict[str, Any],
        module: str = "openstack_cluster",
        environment: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> subprocess.Popen[str]:
        """The module as a process of its own; ``prefix`` is a command that runs it."""
        process = subprocess.Popen(
            [*prefix, sys.executable, str(RUNNER), module],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin
        process.stdin.write(json.dumps(options))
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, size: int | None = None, module: str = "openstack_cluster", **more: Any) -> dict[str, Any]:
        """Run the module to its end and return its result, failed or not."""
        return result_of(self.start(self.options(size, **more), module))

    def good(self, size: int | None = None, **more: Any) -> dict[str, Any]:
        """Run the module; it has to succeed."""
        result = self.run(size, **more)
        assert not result.get("failed"), result["msg"]
        return result

    def info(self) -> dict[str, Any]:
        """What openstack_cluster_info says."""
        options = {"cloud": self.cloud, "colony": self.colony}
        return result_of(self.start(options, "openstack_cluster_info"))

    def info_at(self, network: str) -> dict[str, Any]:
        """The same with an address_network."""
        options = {"cloud": self.cloud, "colony": self.colony, "address_network": network}
        return result_of(self.start(options, "openstack_cluster_info"))

    def servers(self) -> list[dict[str, Any]]:
        """All servers of the project that are not being deleted, as Nova shows them."""
        found = self.connection.compute.get("/servers/detail", microversion="2.64").json()["servers"]
        return [one for one in found if one.get("OS-EXT-STS:task_state") != "deleting"]

    def names(self) -> list[str]:
        """Names of all servers of the project."""
        return sorted(one["name"] for one in self.servers())

    def server_id(self, name: str) -> str:
        """Identifier of the only server with this name."""
        (one,) = [one for one in self.servers() if one["name"] == name]
        return str(one["id"])

    def delete(self, name: str) -> None:
        """Delete a server as somebody would who does not know of the colony."""
        server = self.server_id(name)
        self.connection.compute.delete(f"/servers/{server}")
        self.until(lambda: server not in [one["id"] for one in self.servers()])

    def until(self, condition: Any, limit_s: float = 60) -> None:
        """Wait for a condition, not for ever."""
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, "the cloud did not do as it was told"
            time.sleep(0.3)

    def groups(self) -> list[dict[str, Any]]:
        """Security groups of the project beside its default one."""
        found = self.connection.network.get("/security-groups", params={"project_id": self.id}).json()[
            "security_groups"
        ]
        return [one for one in found if one["name"] != "default"]

    def check(self, size: int) -> None:
        """Nothing twice, nothing without an owner, all marked, the lock free."""
        servers = self.servers()
        names = [one["name"] for one in servers]
        assert len(names) == len(set(names)) == size, names
        for one in servers:
            assert one["status"] == "ACTIVE", one
            marks = one["metadata"]
            assert f"aware:{self.colony}" in one["tags"], one
            assert marks["aware_colony"] == self.colony
            assert marks["aware_node"] == one["name"] == f"{self.colony}-{marks['aware_index']}"
            assert "aware_caste" in marks
        assert [one["name"] for one in self.groups()] == [f"aware-{self.colony}"]
        assert not self.groups()[0]["tags"], "the lock was not given back"
        assert len(self.server_groups()) == 1

    def server_groups(self) -> list[dict[str, Any]]:
        """Server groups of the project."""
        return list(self.connection.compute.get("/os-server-groups", microversion="2.64").json()["server_groups"])

    def addresses(self) -> list[dict[str, Any]]:
        """Floating addresses of the project."""
        found = self.connection.network.get("/floatingips", params={"project_id": self.id}).json()["floatingips"]
        return sorted(found, key=lambda one: str(one["id"]))

    def everything(self) -> dict[str, Any]:
        """All that a run could touch, as the cloud shows it, to compare before and after."""
        ports = self.connection.network.get("/ports", params={"project_id": self.id}).json()["ports"]
        return {
            "servers": sorted(self.servers(), key=lambda one: str(one["id"])),
            "groups": sorted(self.groups(), key=lambda one: str(one["id"])),
            "server groups": self.server_groups(),
            "addresses": self.addresses(),
            "ports": sorted(ports, key=lambda one: str(one["id"])),
            "keypairs": self.connection.compute.get("/os-keypairs", microversion="2.64").json()["keypairs"],
        }

    def empty(self) -> None:
        """Nothing at all is left."""
        assert not self.servers()
        assert not self.groups()
        assert not self.server_groups()

    def quota(self, **limits: int) -> None:
        """Set quotas of compute."""
        answer = self.admin.compute.put(f"/os-quota-sets/{self.id}", json={"quota_set": {"force": True, **limits}})
        assert answer.status_code == 200, answer.text

    def network_quota(self, **limits: int) -> None:
        """Set quotas of the network service."""
        answer = self.admin.network.put(f"/quotas/{self.id}", json={"quota": limits})
        assert answer.status_code == 200, answer.text

    def stock_quotas(self) -> None:
        """Back to what every project has."""
        self.admin.compute.delete(f"/os-quota-sets/{self.id}")
        self.admin.network.delete(f"/quotas/{self.id}")


def result_of(process: subprocess.Popen[str], limit_s: float = 400) -> dict[str, Any]:
    """Wait for the module and parse what it says."""
    try:
        output, _ = process.communicate(timeout=limit_s)
    finally:
        process.kill()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    assert lines, output
    return dict(json.loads(lines[-1]))


@contextmanager
def project(role: str = "member", colony: str = "bee") -> Iterator[Project]:
    """Make a project with one user who has ``role`` in it, and remove it with all that is in it."""
    admin = openstack.connect(cloud=ADMIN)
    name = f"provision-{secrets.token_hex(4)}"
    password = secrets.token_hex(12)
    made = admin.identity.create_project(name=name, domain_id="default")
    user = admin.identity.create_user(name=name, password=password, domain_id="default", default_project_id=made.id)
    admin.identity.assign_project_role_to_user(made.id, user, admin.identity.find_role(role))
    auth = {**admin.config.config["auth"], "username": name, "password": password, "project_name": name}
    cloud = {"auth": {k: auth[k] for k in ("auth_url", "username", "password", "project_name")}}
    cloud["auth"].update(user_domain_id="default", project_domain_id="default")
    cloud["region_name"] = admin.config.region_name
    connection = openstack.connect(**cloud, load_yaml_config=False, load_envvars=False)
    here = Project(cloud, made.id, connection, admin, colony)
    try:
        yield here
    finally:
        clean(here)
        admin.identity.delete_user(user)
        admin.identity.delete_project(made)


def clean(here: Project) -> None:
    """Remove what a failed test left in its project."""
    for one in here.servers():
        here.connection.compute.delete(f"/servers/{one['id']}")
    here.until(lambda: not here.servers(), 120)
    for address in here.addresses():
        here.connection.network.delete(f"/floatingips/{address['id']}")
    for group in here.server_groups():
        here.connection.compute.delete(f"/os-server-groups/{group['id']}")
    end = time.monotonic() + 60
    while here.groups() and time.monotonic() < end:
        for group in here.groups():
            here.connection.network.delete(f"/security-groups/{group['id']}")


@pytest.fixture(scope="module")
def here() -> Iterator[Project]:
    """One project for the tests of a file; each test says what it starts from."""
    with project() as made:
        yield made


@pytest.fixture
def colony(here: Project) -> Iterator[Project]:
    """A project without servers, before and after."""
    yield here
    unlock(here)
    here.good(state="absent", infrastructure={})
    here.empty()


def unlock(here: Project) -> None:
    """Take every lock of Nova off."""
    for one in here.servers():
        here.connection.compute.post(f"/servers/{one['id']}/action", json={"unlock": None})


def reachable() -> bool:
    """True inside the network of a test cloud."""
    return (
        bool(os.environ.get("OS_CLIENT_CONFIG_FILE")) and ADMIN in Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text()
    )


MARKS = [
    pytest.mark.cloud,
    pytest.mark.skipif(not reachable(), reason="no test cloud here: make test-cloud"),
    pytest.mark.filterwarnings("ignore"),
]
