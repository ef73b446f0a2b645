"""deploy/heat/cluster.yaml on servers that really boot: they join the colony of site.yml with no hand but Heat's.

cloud-init runs the bootstrap, pip installs the agent from an index with a CA of its own, systemd starts it, it finds
the colony by broadcast, calls the signed hook, and signals Heat's wait condition. A scale signal then adds another.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_site import COLONY, FROM_HERE, SIZE, WHEELS, Site

from aware_agent import __version__
from tests.package_index import package_index

pytestmark = [pytest.mark.cloud, pytest.mark.real, pytest.mark.filterwarnings("default")]
TEMPLATE = Path(__file__).resolve().parents[2] / "deploy" / "heat" / "cluster.yaml"
NAME = "nodes"
MORE = 2  # servers that come in the end


class Stack:
    """The stack, as its owner sees it."""

    def __init__(self, site: Site) -> None:
        self.site, self.connection = site, site.connection

    def create(self, **parameters: Any) -> None:
        self.connection.create_stack(NAME, template_file=str(TEMPLATE), wait=False, rollback=False, **parameters)

    def complete(self) -> bool:
        """Whether all its servers have said that they are ready."""
        stack = self.connection.orchestration.find_stack(NAME)
        assert "FAILED" not in stack.status, stack.status_reason
        return bool(stack.status == "CREATE_COMPLETE")

    def outputs(self) -> dict[str, Any]:
        stack = self.connection.orchestration.get_stack(self.connection.orchestration.find_stack(NAME).id)
        return {output["output_key"]: output["output_value"] for output in stack.outputs}


@pytest.fixture(scope="module")
def stack(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of one server, asked for with what an operator has in his hands."""
    site.form()
    work = tmp_path_factory.mktemp("heat")
    token, hook = work / "token", work / "hook"
    site.aware("tokens", "create", "--eligible", f"--uses={MORE}", f"--to-file={token}")
    limits = ("--operation=scale", "--delta=1", f"--max-size={SIZE + MORE}", f"--uses={MORE}")
    site.aware("hooks", "sign", *limits, f"--to-file={hook}")
    (key,) = site.connection.compute.keypairs()
    with package_index(WHEELS, site.cloud.settings.gateway, 20443, work, "cloud") as (index, ca):
        made = Stack(site)
        made.create(
            **{"colony": COLONY, "join_token": token.read_text().strip(), "hook": hook.read_text().strip()},
            **{"image": "guest", "flavor": "g.512", "network": "public", "availability_zone": "real"},
            **{"agent_source": f"aware-agent=={__version__}", "pip_index": index, "pip_ca": ca},
            **{"size": 1, "max_size": MORE, "cooldown": 0, "ready_timeout": 1800},
            **{"security_groups": f"aware-{COLONY}", "key_name": key.name, "ssh_cidr": FROM_HERE},
        )
        yield made


def followed(site: Site, more: int) -> dict[str, Any]:
    """The inventory once it, the ready nodes and the spec have ``more`` than site.yml made."""
    site.waited(lambda: len(site.ready()) == SIZE + more, f"{SIZE + more} nodes are ready")
    site.waited(lambda: site.aware("spec", "show")["spec"]["size"] == SIZE + more, "the spec followed")
    hosts: dict[str, Any] = site.inventory()["_meta"]["hostvars"]
    assert len(hosts) == SIZE + more
    return {name: values for name, values in hosts.items() if name not in site.names}


def test_its_server_joins_by_itself(site: Site, stack: Stack) -> None:
    site.waited(stack.complete, "the stack is complete")
    new = followed(site, 1)
    ((name, values),) = new.items()
    assert (values["aware_status"], values["aware_zone"]) == ("ready", "real")
    outputs = stack.outputs()
    assert outputs["gateway_urls"] == [f"https://{values['ansible_host']}:8443"]
    assert name in str(outputs["ready"])
    (node,) = [node for node in site.aware("nodes", "list")["nodes"] if node["name"] == name]
    assert node["origin"] == "broadcast"


def test_a_signal_adds_a_server_and_the_colony_follows(site: Site, stack: Stack) -> None:
    answer = stack.connection.session.post(stack.outputs()["scale_out_signal"], json={})
    assert answer.status_code in (200, 201), answer.text
    new = followed(site, 2)
    assert {values["aware_status"] for values in new.values()} == {"ready"}
    assert stack.outputs()["size"] == MORE
