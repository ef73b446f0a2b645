"""Projects of the tests' own in the test cloud, and what is needed to run programs against them."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import yaml
from testcloud import namespaces
from testcloud.settings import HERE, CloudError, Settings, directory, load

from tests.patience import eventually

ROLES = ("member", "reader", "heat_stack_owner")


def why_not() -> str:
    """Why the test cloud cannot be used from this process, "" when it can."""
    if os.geteuid() != 0:
        return "the test cloud needs root"
    try:
        settings = load(directory())
    except CloudError as error:
        return str(error)
    pid = namespaces.find(settings.directory)
    if pid is None:
        return "the test cloud does not run: make cloud-up"
    if Path(f"/proc/{pid}/ns/net").stat().st_ino != Path("/proc/self/ns/net").stat().st_ino:
        return "not in the test cloud's network: make test-cloud, or tests/cloud/enter python -m pytest ..."
    return ""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project with one member. ``clouds`` is a clouds.yaml with the one cloud ``name``."""

    name: str
    id: str
    user_id: str
    auth: dict[str, str]
    clouds: Path

    def connect(self) -> Any:
        """openstacksdk, as the member."""
        return openstack.connect(load_yaml_config=False, load_envvars=False, region_name="RegionOne", auth=self.auth)

    @property
    def environment(self) -> dict[str, str]:
        """For programs that find the cloud by themselves: the caller's environment, without other OS_ variables."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return {**kept, "OS_CLIENT_CONFIG_FILE": str(self.clouds), "OS_CLOUD": self.name}


class Cloud:
    """The test cloud, seen by tests that run in its network."""

    def __init__(self, settings: Settings, work: Path) -> None:
        self.settings = settings
        self._work = work
        self.admin = openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            region_name="RegionOne",
            auth=self._auth(username="admin", password=settings.password, project_name="admin"),
        )

    def _auth(self, **known: str) -> dict[str, str]:
        return {
            "auth_url": f"http://{self.settings.ip}:5000/v3",
            "user_domain_id": "default",
            "project_domain_id": "default",
            **known,
        }

    @contextmanager
    def project(self, **quota: int) -> Iterator[Project]:
        """A fresh project, removed with all it has; ``quota`` are limits of nova (instances=3) other than stock."""
        project = self._make_project()
        try:
            if quota:
                self.admin.set_compute_quotas(project.id, **quota)
            yield project
        finally:
            self._remove(project)

    def _make_project(self) -> Project:
        name, password = f"test-{secrets.token_hex(4)}", secrets.token_hex(8)
        keystone = self.admin.identity
        project = keystone.create_project(name=name, domain_id="default")
        user = keystone.create_user(name=name, password=password, domain_id="default")
        for role in ROLES:
            keystone.assign_project_role_to_user(project, user, keystone.find_role(role))
        auth = self._auth(username=name, password=password, project_name=name)
        clouds = self._work / f"{name}.yaml"
        clouds.touch(mode=0o600)
        clouds.write_text(yaml.safe_dump({"clouds": {name: {"region_name": "RegionOne", "auth": auth}}}))
        return Project(name=name, id=project.id, user_id=user.id, auth=auth, clouds=clouds)

    def _remove(self, project: Project) -> None:
        with project.connect() as connection:
            empty(connection)
        self.admin.identity.delete_user(project.user_id)
        self.admin.identity.delete_project(project.id)
        project.clouds.unlink()

    def run(
        self, project: Project, *argv: str | Path, cwd: Path | None = None, timeout_s: float = 600, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """A program, such as ansible-playbook, as the member of ``project``, from the top of the checkout."""
        return subprocess.run(
            [str(word) for word in argv],
            env={**project.environment, **variables},
            cwd=cwd or HERE.parents[1],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @contextmanager
    def without(self, *services: str) -> Iterator[None]:
        """The cloud with some of its services down (``nova-api``, ...); they are up again afterwards."""
        subprocess.run([HERE / "cloud", "stop", *services], check=True)
        try:
            yield
        finally:
            self._up()

    @contextmanager
    def soft_deleting(self) -> Iterator[None]:
        """The cloud with soft delete: a deleted server stays, SOFT_DELETED, with its ports, until ``forceDelete``."""
        self._up(SOFT_DELETE="1")
        try:
            yield
        finally:
            self._up(SOFT_DELETE="0")

    @staticmethod
    def _up(**variables: str) -> None:
        environment = {**os.environ, **variables}
        subprocess.run([HERE / "cloud", "up"], env=environment, check=True, stdout=subprocess.DEVNULL)

    def hosts_of(self, servers: Mapping[str, Any] | list[Any]) -> list[str]:
        """On which host each server runs (only the administrator may know)."""
        return [self.admin.compute.get_server(getattr(server, "id", server)).compute_host for server in servers]


def empty(connection: Any) -> None:
    """Delete everything a project has, in an order that works; raises AssertionError for what stays."""
    heat, nova, neutron = connection.orchestration, connection.compute, connection.network
    project = connection.current_project_id
    for stack in heat.stacks():
        heat.delete_stack(stack)
    eventually(lambda: not list(heat.stacks()), "stacks stay")
    for server in nova.servers(details=False):
        nova.delete_server(server)
    eventually(lambda: not list(nova.servers(details=False)), "servers stay")
    for group in nova.server_groups():
        nova.delete_server_group(group)
    for pair in nova.keypairs():
        nova.delete_keypair(pair)
    for address in neutron.ips(project_id=project):
        neutron.delete_ip(address)
    for port in neutron.ports(project_id=project):
        if port.device_owner == "network:router_interface":
            neutron.remove_interface_from_router(port.device_id, port_id=port.id)
        elif not port.device_owner.startswith("network:"):
            neutron.delete_port(port)
    for router in neutron.routers(project_id=project):
        neutron.delete_router(router)
    for network in neutron.networks(project_id=project):
        neutron.delete_network(network)
    for group in neutron.security_groups(project_id=project):
        # The one called default comes and goes with the project.
        with suppress(openstack.exceptions.ConflictException):
            neutron.delete_security_group(group)
