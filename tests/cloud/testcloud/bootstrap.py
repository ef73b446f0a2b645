"""What a cloud has on its first day: users, catalogue, zones, flavors, images, the public network. Idempotent.

Uses the openstacksdk packaged by Debian, inside the namespaces.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import openstack

from testcloud import images
from testcloud.configs import USERS
from testcloud.settings import CloudError, Settings

ENDPOINTS = {
    "compute": ("nova", "http://{ip}:8774/v2.1"),
    "image": ("glance", "http://{ip}:9292"),
    "placement": ("placement", "http://{ip}:8778"),
    "network": ("neutron", "http://{ip}:9696"),
    "orchestration": ("heat", "http://{ip}:8004/v1/%(tenant_id)s"),
    "cloudformation": ("heat-cfn", "http://{ip}:8000/v1"),
}
# name: vcpus, MiB, GiB. The g ones are for real guests: emulated, so one CPU and as little memory as will do.
FLAVORS = {
    "m1.nano": (1, 64, 1),
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "m1.medium": (2, 4096, 40),
    "m1.large": (4, 8192, 80),
    "g.256": (1, 256, 2),
    "g.384": (1, 384, 2),
    "g.512": (1, 512, 2),
    "g.1024": (1, 1024, 4),
}
ZONES = 3
# Beside ``public``: shared networks with DHCP that no router leads out of. Name: network, whether ports are guarded.
CLOSED_NETWORKS = {"isolated": ("10.233.0.0/24", True), "unguarded": ("10.234.0.0/24", False)}
FURNITURE = [FLAVORS, CLOSED_NETWORKS, images.HIDDEN, images.COMMUNITY, images.TWIN]  # a cloud with less gets the rest


def connect(settings: Settings) -> Any:
    """The cloud's administrator."""
    return openstack.connect(
        auth_url=f"http://{settings.ip}:5000/v3",
        username="admin",
        password=settings.password,
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
        region_name="RegionOne",
    )


def identity(settings: Settings) -> None:
    """Service users, the member ``demo``, heat's domain, roles, catalogue."""
    mark = settings.run / "identity.done"
    if mark.exists():
        return
    keystone = connect(settings).identity
    projects = {name: project(keystone, name) for name in ("admin", "service", "demo")}
    roles = {
        name: keystone.find_role(name) or keystone.create_role(name=name)
        for name in ("admin", "member", "reader", "service", "heat_stack_owner", "heat_stack_user")
    }
    for name in USERS:
        for role in ("admin", "service"):
            keystone.assign_project_role_to_user(projects["service"], user(keystone, settings, name), roles[role])
    for role in ("member", "heat_stack_owner"):
        keystone.assign_project_role_to_user(projects["demo"], user(keystone, settings, "demo"), roles[role])
    admin = keystone.find_user("admin", domain_id="default")
    keystone.assign_project_role_to_user(projects["admin"], admin, roles["heat_stack_owner"])
    domain = keystone.find_domain("heat") or keystone.create_domain(name="heat")
    keystone.assign_domain_role_to_user(
        domain, user(keystone, settings, "heat_domain_admin", domain.id), roles["admin"]
    )
    catalogue(keystone, settings)
    mark.touch()


def project(keystone: Any, name: str) -> Any:
    """Find or create."""
    return keystone.find_project(name, domain_id="default") or keystone.create_project(name=name, domain_id="default")


def user(keystone: Any, settings: Settings, name: str, domain: str = "default") -> Any:
    """Find or create."""
    known = keystone.find_user(name, domain_id=domain)
    return known or keystone.create_user(name=name, password=settings.password, domain_id=domain)


def catalogue(keystone: Any, settings: Settings) -> None:
    """One endpoint a service, for everybody who may ask."""
    services = {service.type: service for service in keystone.services()}
    known = {(endpoint.service_id, endpoint.interface) for endpoint in keystone.endpoints()}
    for kind, (name, template) in ENDPOINTS.items():
        service = services.get(kind) or keystone.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            if (service.id, interface) not in known:
                url = template.replace("{ip}", settings.ip)
                keystone.create_endpoint(service_id=service.id, interface=interface, url=url, region_id="RegionOne")


def hosts(settings: Settings) -> set[str]:
    """Compute hosts that such a cloud has."""
    return {f"fake{number}" for number in range(1, settings.fake + 1)} | (
        {settings.hostname} if settings.real else set()
    )


def wait_for_hosts(settings: Settings, look: Callable[[], None], limit_s: float = 180) -> None:
    """Until every compute and every agent reports; ``look`` raises when there is no use in waiting.

    Raises CloudError that names the missing.
    """
    cloud = connect(settings)
    agents = {"neutron-linuxbridge-agent", "neutron-dhcp-agent"} if settings.real else set()
    wanted = hosts(settings) | agents
    deadline = time.monotonic() + limit_s
    while True:
        try:
            here = {service.host for service in cloud.compute.services(binary="nova-compute") if service.state == "up"}
            if agents:
                here |= {agent.binary for agent in cloud.network.agents() if agent.is_alive}
            missing = ", ".join(sorted(wanted - here))
        except openstack.exceptions.SDKException as error:
            missing = f"an answer ({error})"
        if not missing:
            return
        look()
        if time.monotonic() > deadline:
            raise CloudError(f"after {limit_s:.0f} s still missing: {missing} (logs: {settings.log})")
        time.sleep(0.5)


def furnish(settings: Settings) -> None:
    """Zones, flavors, images, networks."""
    what = json.dumps([settings.fake, settings.real, settings.real and images.version(settings), FURNITURE])
    mark = settings.run / "furnished.done"
    if mark.exists() and mark.read_text() == what:
        return
    cloud = connect(settings)
    zones(settings, cloud)
    known = {flavor.name for flavor in cloud.compute.flavors()}
    for name, (vcpus, ram, disk) in FLAVORS.items():
        if name not in known:
            cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
    public_network(settings, cloud)
    for name, (cidr, guarded) in CLOSED_NETWORKS.items():
        closed_network(cloud, name, cidr, guarded)
    images.furnish(settings, cloud)
    mark.write_text(what)


def zones(settings: Settings, cloud: Any) -> None:
    """fake1, fake4, ... are az1, the next az2 and az3; the real host is zone ``real``."""
    of_host = {f"fake{number}": f"az{(number - 1) % ZONES + 1}" for number in range(1, settings.fake + 1)}
    if settings.real:
        of_host[settings.hostname] = "real"
    known = {aggregate.name: aggregate for aggregate in cloud.compute.aggregates()}
    for host, zone in of_host.items():
        if zone not in known:
            known[zone] = cloud.compute.create_aggregate(name=zone, availability_zone=zone)
        if host not in (known[zone].hosts or []):
            known[zone] = cloud.compute.add_host_to_aggregate(known[zone], host)


def public_network(settings: Settings, cloud: Any) -> None:
    """Flat, shared, with DHCP; its gateway is the cloud's own namespace, so guests are reached from ``enter``."""
    network = cloud.network.find_network("public") or cloud.network.create_network(
        name="public",
        is_shared=True,
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="public",
    )
    if not cloud.network.find_subnet("public", network_id=network.id):
        cloud.network.create_subnet(
            network_id=network.id,
            name="public",
            ip_version=4,
            cidr=settings.network,
            gateway_ip=settings.gateway,
            allocation_pools=[dict(zip(("start", "end"), settings.pool, strict=True))],
        )


def closed_network(cloud: Any, name: str, cidr: str, guarded: bool) -> None:
    """Shared, with DHCP and without a gateway; on an unguarded one Neutron refuses security groups."""
    network = cloud.network.find_network(name) or cloud.network.create_network(
        name=name, is_shared=True, is_port_security_enabled=guarded
    )
    if not cloud.network.find_subnet(name, network_id=network.id):
        cloud.network.create_subnet(network_id=network.id, name=name, ip_version=4, cidr=cidr, gateway_ip=None)
