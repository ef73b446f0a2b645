"""A server whose node has a seat: the colony forgets the node, and the run waits until its etcd is a member no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .conftest import COLONY, ROOT, TOKEN, FakeColony, FakeMember

TASKS = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "playbooks" / "tasks"
CLUSTER = {"colony": COLONY, "term": 3, "status": "healthy", "queen": {"name": "demo-1"}}
NODE = {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "name": "demo-2", "status": "ready"}


def routes(*seats: str) -> dict[str, Any]:
    """What the queen says while these nodes have seats."""
    members = [{"name": name, "healthy": True, "learner": False} for name in seats]
    return {
        "GET /v1/cluster": [200, CLUSTER],
        "GET /v1/nodes/demo-2": [200, NODE],
        f"DELETE /v1/nodes/{NODE['id']}?force=true": [200, {}],
        "GET /v1/council/members": [200, {"wanted": {"size": 3}, "members": members}],
    }


def removed(member: FakeMember) -> bool:
    return any(line[0] == "DELETE" for line in member.requests())


def play(ansible: Callable[..., Any], colony: FakeColony, member: FakeMember, folder: Path, retries: int) -> Any:
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    context = {"colony": COLONY, "endpoints": [member.url], "ca_file": str(colony.ca), "token_file": "token"}
    (folder / "context.json").write_text(json.dumps(context))
    variables = {
        "aware_context": str(folder / "context.json"),
        "aware_leaving_seat": "demo-2",
        "aware_leaving_retries": retries,
    }
    tasks = [{"ansible.builtin.include_tasks": str(TASKS / "openstack_seat.yml")}]
    book = [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]
    (folder / "play.yml").write_text(json.dumps(book))
    return ansible("ansible-playbook", folder / "play.yml")


def test_it_is_forgotten_and_waited_for(ansible: Callable[..., Any], colony: FakeColony, tmp_path: Path) -> None:
    queen = colony.member()
    queen.say(role="queen", routes=routes("demo-1", "demo-2", "demo-3"))
    over = threading.Event()

    def keep() -> None:
        """The council's keeper, once the node was removed and its seat was seen once more."""
        while not over.wait(0.1):
            asked = [line[1] for line in queen.requests()]
            if removed(queen) and "/v1/council/members" in asked:
                queen.say(role="queen", routes=routes("demo-1", "demo-3"))
                return

    keeper = threading.Thread(target=keep)
    keeper.start()
    ran = play(ansible, colony, queen, tmp_path, 20)
    over.set()
    keeper.join()
    assert ran.rc == 0, ran.out + ran.err
    assert removed(queen)
    assert [line[1] for line in queen.requests()].count("/v1/council/members") >= 2


def test_a_seat_that_stays_ends_the_run(ansible: Callable[..., Any], colony: FakeColony, tmp_path: Path) -> None:
    queen = colony.member()
    queen.say(role="queen", routes=routes("demo-1", "demo-2", "demo-3"))
    assert play(ansible, colony, queen, tmp_path, 1).rc != 0
