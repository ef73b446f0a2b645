"""Two projects with a colony of one name, and a user who is administrator in one of them: nothing of the other is ours.

Neutron lists the resources of all projects to an administrator, and everybody is listed what others share with him.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("openstack")

from provisioning import MARKS, Project, project

pytestmark = MARKS
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv5mX0pHc0M7yqSgpmQH3m6r2Z8o0r1dPpM3s3XxqO4"


@contextmanager
def inner_network(here: Project, name: str = "inner") -> Iterator[Any]:
    """A network with a router to the public one; both go last."""
    network = here.connection.network
    made = network.create_network(name=name)
    subnet = network.create_subnet(network_id=made.id, name=name, ip_version=4, cidr="10.79.0.0/24")
    router = network.create_router(name=name, external_gateway_info={"network_id": network.find_network("public").id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    try:
        yield made
    finally:
        here.good(state="absent")
        network.remove_interface_from_router(router, subnet_id=subnet.id)
        network.delete_router(router)
        network.delete_network(made)


@pytest.fixture(scope="module")
def other() -> Iterator[Project]:
    """Project B: a member's colony, with all a colony may have."""
    with project() as made, inner_network(made):
        made.good(2, infrastructure=PARTS)
        yield made


@pytest.fixture
def ours() -> Iterator[Project]:
    """Project A: its user has the role admin, which is one for the whole cloud."""
    with project("admin") as made:
        yield made


PARTS: dict[str, Any] = {"networks": ["inner"], "floating_network": "public", "keypair": {"public_key": f"{KEY} b@b"}}


def test_an_administrator_is_listed_the_resources_of_all(other: Project, ours: Project) -> None:
    """Else the tests of this file show nothing."""
    groups = ours.connection.network.get("/security-groups", params={"name": "aware-bee"}).json()["security_groups"]
    assert other.groups()[0]["id"] in [group["id"] for group in groups]
    addresses = ours.connection.network.get("/floatingips").json()["floatingips"]
    assert {one["id"] for one in other.addresses()} <= {one["id"] for one in addresses}


@pytest.mark.parametrize("check", [True, False])
def test_absent_leaves_the_other_projects_colony_alone(other: Project, ours: Project, check: bool) -> None:
    before = other.everything()
    result = ours.good(state="absent", _ansible_check_mode=check)
    assert not result["changed"]
    assert result["plan"] == result["done"] == result["removed"] == []
    assert other.everything() == before


def test_info_shows_ours_only(other: Project, ours: Project) -> None:
    group = other.groups()[0]
    tag = f"lock.0123abcd.feedbeef.4242.99.{2**33}"
    other.connection.network.put(f"/security-groups/{group['id']}/tags/{tag}")
    try:
        shown = ours.info()
    finally:
        other.connection.network.delete(f"/security-groups/{group['id']}/tags/{tag}")
    assert shown["hosts"] == shown["foreign"] == shown["held_by"] == shown["failed_servers"] == []


def test_both_live_beside_each_other(other: Project, ours: Project) -> None:
    """Made, kept, scaled, removed, planned: never does anything of B change, and none of B's is on A's servers."""
    before = other.everything()
    with inner_network(ours) as network:
        planned = ours.good(1, infrastructure=PARTS, _ansible_check_mode=True)
        made = ours.good(1, infrastructure=PARTS)
        assert made["plan"] == planned["plan"]
        assert "create security group aware-bee with the rules AWARE needs" in made["plan"]
        assert sum(sentence.startswith("create keypair") for sentence in made["plan"]) == 1
        ours.check(1)
        (group,) = ours.groups()
        ports = ours.connection.network.get("/ports", params={"network_id": network.id}).json()["ports"]
        (port,) = [one for one in ports if one["device_owner"].startswith("compute:")]
        assert port["security_groups"] == [group["id"]]
        (address,) = ours.addresses()
        assert made["hosts"][0]["ansible_host"] == address["floating_ip_address"]
        again = ours.good(1, infrastructure=PARTS)
        assert not again["changed"], again["plan"]
        assert [host["name"] for host in ours.info()["hosts"]] == ["bee-1"]
        assert other.everything() == before
        gone = ours.good(state="absent")
        assert gone["done"] == gone["plan"]
        ours.empty()
        assert not ours.addresses()
    assert other.everything() == before


def test_names_mean_what_the_project_may_use(other: Project, ours: Project) -> None:
    """A network or group of B's that has the name is not taken, and does not make the name ambiguous."""
    extra = other.connection.network.create_security_group(name="web")
    try:
        result = ours.run(1, infrastructure={"security_groups": ["web"]})
        assert "there is no security group 'web' in this project" in result["msg"]
        assert "there is no network 'inner'" in ours.run(1, infrastructure={"networks": ["inner"]})["msg"]
        own = ours.connection.network.create_security_group(name="web")
        ours.good(1, infrastructure={"security_groups": ["web"]})
        found = ours.connection.network.get("/ports", params={"device_id": ours.server_id("bee-1")}).json()["ports"]
        assert own.id in found[0]["security_groups"]
        ours.good(state="absent")
    finally:
        other.connection.network.delete_security_group(extra)


def test_a_group_that_another_project_shares_is_not_ours() -> None:
    """A member is listed it as well; it has our name and our description, but is B's."""
    with project() as lender, project() as borrower:
        lender.good(1)
        shared = lender.groups()[0]
        lender.connection.network.create_rbac_policy(
            object_type="security_group",
            object_id=shared["id"],
            action="access_as_shared",
            target_project_id=borrower.id,
        )
        listed = borrower.connection.network.get("/security-groups", params={"name": "aware-bee"}).json()
        assert [one["id"] for one in listed["security_groups"]] == [shared["id"]]
        before = lender.everything()
        assert not borrower.good(state="absent")["plan"]
        borrower.good(1)
        (own,) = borrower.groups()
        assert own["id"] != shared["id"]
        borrower.check(1)
        borrower.good(state="absent")
        borrower.empty()
        assert lender.everything() == before
        for policy in list(lender.connection.network.rbac_policies(object_type="security_group")):
            lender.connection.network.delete_rbac_policy(policy)
        lender.good(state="absent")


def test_one_user_in_two_projects_has_a_keypair_for_each(other: Project) -> None:
    """Keypairs belong to users; what is not marked as ours is never deleted, under whatever name."""
    with project() as first:
        user = first.admin.identity.find_user(first.cloud["auth"]["username"], domain_id="default")
        first.admin.identity.assign_project_role_to_user(other.id, user, first.admin.identity.find_role("member"))
        second = other.seen_by(first)
        parts = {"keypair": {"public_key": f"{KEY} me@here"}}
        second.colony = first.colony = "wasp"
        first.good(1, infrastructure=parts)
        second.good(1, infrastructure=parts)
        names = {pair["keypair"]["name"] for pair in first.everything()["keypairs"]}
        assert names == {f"aware-wasp-{first.id[:8]}", f"aware-wasp-{other.id[:8]}"}
        first.good(state="absent")
        assert {pair["keypair"]["name"] for pair in second.everything()["keypairs"]} == {f"aware-wasp-{other.id[:8]}"}
        assert not second.good(1, infrastructure=parts)["changed"]
        second.good(state="absent")
        assert not second.everything()["keypairs"]


def test_a_keypair_that_was_only_named_stays() -> None:
    with project() as here:
        own = {"name": "mine", "public_key": f"{KEY} me@here"}
        for name in ("mine", "aware-bee", f"aware-bee-{here.id[:8]}"):
            here.connection.compute.create_keypair(name=name, public_key=own["public_key"])
        for wanted in ({"name": "mine"}, {"name": "aware-bee"}, own, {"public_key": KEY}):
            made = here.good(1, infrastructure={"keypair": wanted})
            assert not [sentence for sentence in made["plan"] if "keypair" in sentence]
            removed = here.good(state="absent", infrastructure={"keypair": wanted})
            assert not [sentence for sentence in removed["plan"] if "keypair" in sentence]
        assert len(here.everything()["keypairs"]) == 3
        made = here.good(1, infrastructure={"keypair": {"name": "made", "public_key": KEY}})
        assert "create keypair made" in made["done"]
        assert "delete keypair made" in here.good(state="absent")["done"]
        assert len(here.everything()["keypairs"]) == 3
        for name in ("mine", "aware-bee", f"aware-bee-{here.id[:8]}"):
            here.connection.compute.delete_keypair(name)
