"""The lock of openstack_cluster between machines: process ids mean nothing there, only age does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("openstack")

from provisioning import MARKS, Project, project, result_of

pytestmark = MARKS
LIFE_S = 8


@pytest.fixture
def colony() -> Iterator[Project]:
    """A project of the test's own."""
    with project() as made:
        yield made
        made.good(state="absent")
        made.empty()


def ticket(colony: Project, age_s: float) -> None:
    """Hang what a run on another machine would have left."""
    tags = [f"lock.0123abcd.feedbeef.4242.99.{int(time.time() - age_s)}", "who.0123abcd.anna@elsewhere"]
    group = colony.connection.network.post(
        "/security-groups",
        json={"security_group": {"name": "aware-bee", "description": "Nodes of AWARE colony bee"}},
    ).json()["security_group"]
    for tag in tags:
        assert colony.connection.network.put(f"/security-groups/{group['id']}/tags/{tag}").status_code == 201


def test_an_old_ticket_of_another_machine_counts_no_more(colony: Project) -> None:
    ticket(colony, age_s=1000)
    made = colony.good(1, lock_wait=0)
    assert any("took over from a run that is gone" in line for line in made["progress"])
    colony.check(1)


def test_a_fresh_one_counts_until_it_is_old(colony: Project) -> None:
    ticket(colony, age_s=0)
    refused = colony.run(1, lock_wait=0)
    assert "colony bee is being changed by anna@elsewhere (run 0123abcd)" in refused["msg"]
    assert colony.info()["held_by"] == ["anna@elsewhere (run 0123abcd)"]
    assert not colony.servers()
    made = colony.good(1, lock_wait=200, lock_life=30)
    assert any("waiting for anna@elsewhere" in line for line in made["progress"])
    colony.check(1)


def test_who_slept_too_long_does_not_go_on(colony: Project) -> None:
    """A run in another process namespace, as on another machine, is frozen with the lock; the next one takes over."""
    more = {"multi_create": False, "parallel": 1, "lock_life": LIFE_S, "lock_wait": 200}
    prefix = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    sleeper = colony.start(colony.options(4, **more), prefix=prefix)
    frozen = []
    try:
        colony.until(colony.servers)
        frozen = below(sleeper.pid)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        assert len(colony.servers()) < 4, "it was done before it could be stopped"
        held = colony.info()["held_by"]
        assert len(held) == 1, held
        made = colony.good(4, **more)
        assert any("took over from a run that is gone" in line for line in made["progress"])
        colony.check(4)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        late = result_of(sleeper)
    assert late["failed"]
    assert "another run took over colony bee while this one was away" in late["msg"]
    colony.check(4)


def below(pid: int) -> list[int]:
    """The process and all below it."""
    said = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [pid, *(deeper for child in said.split() for deeper in below(int(child)))]
