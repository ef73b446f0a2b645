"""Castes that scale and the servers of a cloud: without the colony's word none is taken away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import COLONY, ROOT, TOKEN, FakeColony

TASKS = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "playbooks" / "tasks"
SCALES = {"colony": COLONY, "size": 3, "castes": {"web": {"count": 2, "scale": {"min": 1, "max": 9}}}}
STEADY = {**SCALES, "castes": {"web": {"count": 2}}}


def shown(ansible: Callable[..., Any], folder: Path, variables: dict[str, Any], tasks: list[Any], names: str) -> Any:
    """Run tasks and show what is left in ``names``, a Jinja expression."""
    show = {"ansible.builtin.debug": {"msg": "SHOWN={{ (" + names + ") | to_json }}="}}
    book = [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [*tasks, show]}]
    (folder / "play.yml").write_text(json.dumps(book))
    return ansible("ansible-playbook", folder / "play.yml")


def asked(ansible: Callable[..., Any], colony: FakeColony, folder: Path, answer: list[Any]) -> Any:
    member = colony.member()
    member.say(role="queen", routes={"GET /v1/cluster": answer})
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    context = {"colony": COLONY, "endpoints": [member.url], "ca_file": str(colony.ca), "token_file": "token"}
    (folder / "context.json").write_text(json.dumps(context))
    variables = {"aware_context": str(folder / "context.json"), "aware_spec": SCALES, "aware_elastic_retries": 1}
    tasks = [{"ansible.builtin.include_tasks": str(TASKS / "openstack_elastic.yml")}]
    return shown(ansible, folder, variables, tasks, "[aware_size, aware_castes.web.count]")


def test_what_the_colony_chose_counts(ansible: Callable[..., Any], colony: FakeColony, tmp_path: Path) -> None:
    said = {"colony": COLONY, "castes": [{"name": "web", "wanted": 5}], "size": {"servers": 7, "missing": 0}}
    ran = asked(ansible, colony, tmp_path, [200, said])
    assert ran.rc == 0, ran.out + ran.err
    assert "SHOWN=[7, 5]=" in ran.out.replace("\\", "")


def test_a_colony_that_cannot_say_ends_the_run(ansible: Callable[..., Any], colony: FakeColony, tmp_path: Path) -> None:
    refused = {"type": "about:blank", "title": "refused", "status": 403, "code": "forbidden", "detail": "not for you"}
    ran = asked(ansible, colony, tmp_path, [403, refused])
    assert ran.rc != 0
    assert "not for you" in ran.out + ran.err
    assert "SHOWN=" not in ran.out


@pytest.mark.parametrize(
    ("variables", "may"),
    [({"aware_spec": SCALES}, False), ({"aware_spec": SCALES, "aware_size": 7}, True), ({"aware_spec": STEADY}, True)],
)
def test_servers_go_for_the_size_only_where_the_size_is_known(
    ansible: Callable[..., Any], tmp_path: Path, variables: dict[str, Any], may: bool
) -> None:
    (task,) = yaml.safe_load((TASKS / "openstack_servers.yml").read_text())
    shrink = task["aware.cluster.openstack_cluster"]["shrink"]
    ran = shown(ansible, tmp_path, {**variables, "shrink": shrink}, [], "shrink")
    assert ran.rc == 0, ran.out + ran.err
    assert f"SHOWN={str(may).lower()}=" in ran.out
