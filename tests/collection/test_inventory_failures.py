"""An inventory that cannot be read: one sentence that comes last, and a run that ends when that is wanted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tls_support import SENTENCES, make_wrong_pair

from .conftest import ROOT, TOKEN, FakeColony, free_port, make_document

COLLECTIONS = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}


def gone() -> str:
    return f"https://127.0.0.1:{free_port()}"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty directory far from the checkout and its ansible.cfg."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "play.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
    return folder


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    said = " ".join(lines)
    lines = (*lines, *(line for line in ("token: t", "deadline: 1") if line.split()[0] not in said))
    path.write_text("\n".join(["plugin: aware.cluster.gateway", *lines, ""]))
    return path


@pytest.mark.parametrize("command", [("ansible-inventory", "--list"), ("ansible-playbook", "play.yml")])
@pytest.mark.parametrize("said", ["file", "environment", "ansible.cfg"])
def test_fatal_ends_the_run_with_one_line(ansible: Any, elsewhere: Path, command: tuple[str, str], said: str) -> None:
    url = gone()
    lines = [f"endpoints: ['{url}']", *(["on_failure: fatal"] if said == "file" else [])]
    path = write(elsewhere, "x.aware.yml", *lines)
    environment = dict(COLLECTIONS)
    if said == "environment":
        environment["AWARE_INVENTORY_ON_FAILURE"] = "fatal"
    if said == "ansible.cfg":
        (elsewhere / "ansible.cfg").write_text("[aware_inventory]\non_failure = fatal\n")
    ran = ansible(command[0], "-i", path, command[1], cwd=elsewhere, **environment)
    assert ran.rc != 0
    wanted = f"[ERROR]: aware.cluster.gateway: no gateway of the colony answered: {url}: Connection refused"
    assert ran.err == f"{wanted}; and no earlier answer is at hand"
    assert ran.out.strip() == ""


def test_without_it_the_run_goes_on_and_the_last_line_says_why(ansible: Any, elsewhere: Path) -> None:
    path = write(elsewhere, "x.aware.yml", f"endpoints: ['{gone()}']")
    ran = ansible("ansible-playbook", "-i", path, "play.yml", cwd=elsewhere, **COLLECTIONS)
    assert ran.rc == 0
    last = ran.err.rpartition("[WARNING]: ")[2]
    assert last.startswith("aware.cluster.gateway: no gateway of the colony answered: https://127.0.0.1:")
    assert last.endswith("The run went on without these hosts; on_failure: fatal would end it")


def test_where_ansible_would_end_the_run_ours_is_the_only_line(ansible: Any, elsewhere: Path) -> None:
    path = write(elsewhere, "x.aware.yml", f"endpoints: ['{gone()}']")
    settings = {**COLLECTIONS, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    ran = ansible("ansible-inventory", "-i", path, "--list", cwd=elsewhere, **settings)
    assert ran.rc != 0
    assert ran.err.count("aware.cluster.gateway: ") == 1
    assert "[WARNING]" not in ran.err


@pytest.mark.parametrize("name", ["colony.yml", "aware.yml.bak.yml"])
@pytest.mark.parametrize("fatal", [True, False])
def test_a_name_that_ansible_skips_is_told(ansible: Any, elsewhere: Path, name: str, fatal: bool) -> None:
    path = write(elsewhere, name, f"endpoints: ['{gone()}']", *(["on_failure: fatal"] if fatal else []))
    ran = ansible("ansible-inventory", "-i", path, "--list", cwd=elsewhere, **COLLECTIONS)
    wanted = f"`plugin: aware.cluster.gateway` must end in aware.yml or aware.yaml, and {path} does not"
    assert wanted in ran.err.rpartition("]: ")[2]
    assert (ran.rc != 0) is fatal


def test_the_name_of_a_spec_is_told_as_well(ansible: Any, elsewhere: Path) -> None:
    (elsewhere / "spec.yml").write_text("plugin: aware.cluster.spec\ncolony: demo\nsize: 3\n")
    ran = ansible("ansible-inventory", "-i", "spec.yml", "--list", cwd=elsewhere, **COLLECTIONS)
    assert "`plugin: aware.cluster.spec` must end in cluster.yml or cluster.yaml" in ran.err.rpartition("]: ")[2]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["deadline: soon", "token: t"], "soon"),
        (["endpoints: {a: b}"], "a"),
        (['context: "a\\0b"'], "is not the name of a file"),
        (["context: /"], "context file /: Is a directory"),
        (["context: ~nobody-here/context.json"], "no such home directory"),
        (["endpoints: ['https://127.0.0.1:1']", "ca_path: none.pem"], "none.pem: No such file or directory"),
        (["endpoints: ['https://127.0.0.1:1']", "ca_path: play.yml"], "play.yml is not a PEM certificate"),
        (["endpoints: ['https://127.0.0.1:1']", "ca_path: ."], "CA file"),
        (["endpoints: ['https://127.0.0.1:1']", "token_file: none", "token: ''"], "token file"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(ansible: Any, elsewhere: Path, lines: list[str], sentence: str) -> None:
    path = write(elsewhere, "x.aware.yml", "on_failure: fatal", *lines)
    ran = ansible("ansible-inventory", "-i", path, "--list", cwd=elsewhere, **COLLECTIONS)
    assert ran.rc != 0
    assert ran.err.startswith("[ERROR]: aware.cluster.gateway: ")
    assert sentence in ran.err
    assert "a bug" not in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("wrong", [wrong for wrong in SENTENCES if wrong != "no TLS"])
def test_what_is_wrong_with_a_certificate(colony: FakeColony, ansible: Any, wrong: str) -> None:
    member = colony.member()
    member.kill()
    make_wrong_pair(member.folder / "server.pem", colony.authority, wrong)
    member.start()
    path = colony.inventory_file([member.url], deadline=1)
    ran = ansible("ansible-inventory", "-i", path, "--list")
    assert ran.rc != 0
    if wrong == "other address":  # who is asked counts, not where
        assert f"{member.url}: it is a worker and names nobody as council" in ran.err
    else:
        assert f"no gateway of the colony answered: {member.url}: {SENTENCES[wrong]}" in ran.err


def test_every_endpoint_has_its_reason(colony: FakeColony, ansible: Any) -> None:
    lost, plain, dead = colony.member(), colony.member(tls=False), gone()
    urls = [dead, lost.url, plain.url.replace("http:", "https:")]
    ran = ansible("ansible-inventory", "-i", colony.inventory_file(urls, deadline=2), "--list")
    assert ran.rc != 0
    assert "aware.cluster.gateway: no queen of the colony was found: " in ran.err
    for reason in (
        f"{dead}: Connection refused",
        f"{lost.url}: there is no queen now",
        f"{urls[2]}: {SENTENCES['no TLS']}",
    ):
        assert reason in ran.err


def test_members_are_remembered_for_the_command_line_and_modules(colony: FakeColony, ansible: Any) -> None:
    queen, heir = colony.member(), colony.member()
    queen.give(make_document(["demo-1"], members=[queen.url, heir.url]))
    context = {"colony": "demo", "endpoints": [queen.url], "ca_file": "ca.crt", "token_file": "token"}
    (colony.folder / "context.json").write_text(json.dumps(context))
    (colony.folder / "token").write_text(TOKEN)
    path = colony.inventory_file(None, token=None, ca_path=None, context="context.json")
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.kill()
    cluster = {"colony": "demo", "status": "healthy"}
    heir.say(role="queen", routes={"GET /v1/cluster": [200, cluster], "GET /v1/queen": [200, {"name": "demo-2"}]})
    options = f"context={colony.folder / 'context.json'} deadline=3"
    ran = ansible("ansible", "localhost", "-m", "aware.cluster.cluster_info", "-a", options)
    assert ran.rc == 0, ran.out + ran.err
    ran = ansible("aware", "queen", "show", "--json", "--context", colony.folder / "context.json")
    assert ran.json() == {"name": "demo-2"}


def test_a_user_without_a_home_gets_no_directory_called_tilde(colony: FakeColony, elsewhere: Path) -> None:
    """No HOME and no line in passwd, as in a container with a random user. Ansible's own home is given to it."""
    nobody = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    if subprocess.run([*nobody, "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    queen = colony.member()
    queen.give(make_document(["demo-1"]))
    path = colony.inventory_file([queen.url], stale_path=None)
    environment = {"PATH": os.environ["PATH"], "ANSIBLE_HOME": str(elsewhere / "ansible"), **COLLECTIONS}
    before = sorted(entry.name for entry in elsewhere.iterdir())
    tool = Path(sys.executable).with_name("ansible-inventory")
    command = [*nobody, str(tool), "-i", str(path), "--list"]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "demo-1" in done.stdout
    assert sorted(entry.name for entry in elsewhere.iterdir()) == sorted([*before, "ansible"])
    queen.kill()
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=120)
    assert "there is no home directory to keep one in: set stale_path" in done.stderr
