"""Every playbook begins with the same look at what a run may leave out, and ends with what comes next."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, TOKEN, FakeColony, FakeMember, Ran

FOLDER = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "playbooks"
PLAYBOOKS = sorted(path.name for path in FOLDER.glob("*.yml"))
FILES = sorted([*FOLDER.glob("*.yml"), *FOLDER.glob("parts/*.yml")])
# Which hosts they need: the rest needs all of the colony.
CONTROLLER = {"down.yml", "destroy.yml", "replace.yml", "scale.yml", "verify.yml"}
ANY = {"firewall.yml", "loadbalancer.yml", "monitoring.yml"}
IMPORT = "ansible.builtin.import_playbook"
# Nothing listens there: a run that is not refused changes nothing. Each at an address of its own, as in a real spec.
NOWHERE = "{ansible_host: %s, ansible_port: 1}"
HERE = "{ansible_host: %s, ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}"
SPEC = """\
plugin: aware.cluster.spec
provider: static
colony: demo
hosts:
"""


@pytest.fixture
def play(ansible: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Run a playbook over d1, d2, d3, which are nowhere; ``here`` are processes of this machine."""

    def run(playbook: str, *words: str, here: tuple[str, ...] = ()) -> Ran:
        hosts = "".join(
            f"  {name}: {(HERE if name in here else NOWHERE) % f'127.0.0.{n}'}\n"
            for n, name in enumerate(("d1", "d2", "d3"), start=1)
        )
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        (folder / "cluster.yml").write_text(SPEC + hosts)
        return ansible("ansible-playbook", f"playbooks/{playbook}", "-i", folder, "-e", "aware_become=false", *words)

    return run


def said(ran: Ran) -> str:
    """All it printed, on one line: errors are on either of the two, and broken anywhere."""
    return " ".join((ran.out + " " + ran.err).split())


def tasks(ran: Ran) -> list[str]:
    return re.findall(r"^TASK \[(.*?)\]", ran.out, re.MULTILINE)


def entries(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_first_play_is_the_look_and_the_last_says_what_comes_next(name: str) -> None:
    first, *_, last = entries(FOLDER / name)
    assert first[IMPORT] == "parts/begin.yml"
    needs = first.get("vars", {}).get("aware_run_needs", "colony")
    assert needs == ("controller" if name in CONTROLLER else "any" if name in ANY else "colony")
    assert last[IMPORT] in ("parts/end.yml", "parts/end_formed.yml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_play_takes_its_hosts_from_the_lookup(path: Path) -> None:
    """So that hosts that are away are in none of them, and a run in parts is refused wherever it begins."""
    for entry in entries(path):
        assert IMPORT in entry or "lookup('aware.cluster.hosts', " in entry["hosts"], entry["name"]


def ends(ansible: Callable[..., Any], folder: Path, part: str, **variables: Any) -> Ran:
    """What the last play of a playbook says, given what earlier ones would have found out."""
    given = {"aware_spec": {"colony": "demo"}, "aware_directory": "/my place/.aware", **variables}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.set_fact": given}]}]
    whole = [*play, {IMPORT: str(FOLDER / "parts" / part)}]
    (folder / "end.yml").write_text(yaml.safe_dump(whole))
    return ansible("ansible-playbook", folder / "end.yml", "-i", "localhost,")


@pytest.mark.parametrize("provider", ["local", "static", "openstack"])
def test_a_run_that_made_a_colony_ends_with_what_to_type(ansible: Any, tmp_path: Path, provider: str) -> None:
    ran = ends(ansible, tmp_path, "end_formed.yml", aware_provider=provider)
    assert ran.rc == 0, ran.out + ran.err
    last = ran.out.rpartition("TASK [Say what comes next]")[2]
    assert "Colony demo is what its spec says" in last
    export, status = (re.search(rf'"  (.*{word}.*)"', last) for word in ("AWARE_CONTEXT", "aware'? status"))
    assert export, last
    assert status, last
    typed = ["bash", "-c", f'{export[1]} && printf %s "$AWARE_CONTEXT"']
    done = subprocess.run(typed, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "/my place/.aware/context.json"
    assert Path(shlex.split(status[1])[0]).exists()
    # The keys of the CAs are the colony's: no page may say that a controller holds them, and no run either.
    assert ("Keep /my place/.aware safe: it holds the password of admin" in last) is (provider != "local")
    assert "key of the CA" not in last


def test_a_run_that_left_somebody_out_ends_with_who_and_what_to_do(ansible: Any, tmp_path: Path) -> None:
    ran = ends(ansible, tmp_path, "end.yml", aware_silent=["d3"], aware_end=["done"])
    assert ran.rc != 0
    last = " ".join((ran.out + " " + ran.err).rpartition("TASK [Name those that did not answer]")[2].split())
    assert "Not done on d3, which did not answer; everywhere else it is done." in last
    assert "-e aware_away=d3 leaves it out" in last


# The look is one for all: these stand for the three kinds of need.
@pytest.mark.parametrize("name", ["site.yml", "rotate.yml", "down.yml", "scale.yml"])
def test_a_limit_that_leaves_out_what_is_needed_is_refused_in_the_first_task(name: str, play: Any) -> None:
    limit = "d1,d2,d3" if name in CONTROLLER else "!d2"
    ran = play(name, "--limit", limit)
    assert ran.rc != 0
    assert f"--limit {limit} leaves out " in said(ran)
    needed = "d2" if name == "site.yml" else "localhost"
    assert needed in said(ran).partition("leaves out ")[2].partition(", which")[0]
    assert tasks(ran) == ["Refuse a run that leaves something out"]


@pytest.mark.parametrize("name", ["site.yml", "firewall.yml"])
def test_tags_are_refused_in_the_first_task(name: str, play: Any) -> None:
    ran = play(name, "--tags", "etcd")
    assert ran.rc != 0
    assert "--tags would leave out tasks that others build on" in said(ran)
    assert tasks(ran) == ["Refuse a run that leaves something out"]


def test_tags_that_no_task_has_skip_nothing(play: Any) -> None:
    """Molecule gives some with every run."""
    assert "See which hosts answer" in play("rotate.yml", "--skip-tags", "molecule-notest,notest").out


def start_of(name: str) -> str:
    """A task of the playbook that ``--start-at-task`` would find."""
    for entry in reversed(entries(FOLDER / name)):
        if "tasks" in entry:
            return str(entry["tasks"][-1]["name"])
    return "Say what comes next"


@pytest.mark.parametrize("name", ["site.yml", "destroy.yml", "monitoring.yml"])
def test_a_run_that_begins_in_the_middle_is_refused(name: str, play: Any) -> None:
    ran = play(name, "--start-at-task", start_of(name))
    assert ran.rc != 0
    assert "--start-at-task would leave out tasks that later ones build on" in said(ran)
    assert tasks(ran) == []


@pytest.mark.parametrize("words", [("--step",), ("--skip-tags", "x,tagged")])
def test_so_is_one_that_no_task_could_refuse(words: tuple[str, ...], play: Any) -> None:
    ran = play("site.yml", *words)
    assert ran.rc != 0
    assert f"{words[0]} would leave out tasks" in said(ran)
    assert tasks(ran) == []


@pytest.mark.parametrize("words", [("--list-hosts", "--start-at-task", "x")])
def test_looking_at_a_playbook_is_not_refused(words: tuple[str, ...], play: Any) -> None:
    assert play("site.yml", *words).rc == 0


def test_a_limit_that_leaves_out_nobody_is_none(play: Any) -> None:
    ran = play("rotate.yml", "--limit", "all,localhost")
    assert "See which hosts answer" in ran.out
    assert "leaves out" not in said(ran)


def test_a_limit_may_leave_out_who_is_away(play: Any) -> None:
    ran = play("rotate.yml", "--limit", "d1,d2,localhost", "-e", "aware_away=d3")
    assert "See which hosts answer" in ran.out
    assert "leaves out" not in said(ran)


def test_servers_that_are_made_meanwhile_are_in_no_limit(ansible: Any, tmp_path: Path) -> None:
    (tmp_path / "cluster.yml").write_text("plugin: aware.cluster.spec\nprovider: openstack\ncolony: demo\nsize: 3\n")
    sources = ("-i", tmp_path / "cluster.yml", "-i", "other,")
    ran = ansible("ansible-playbook", "playbooks/site.yml", *sources, "--limit", "localhost,all")
    assert ran.rc != 0
    assert "leaves out servers that are made meanwhile" in said(ran)
    assert tasks(ran) == ["Refuse a run that leaves something out"]


def test_a_host_that_is_away_has_to_be_one(play: Any) -> None:
    ran = play("site.yml", "-e", "aware_away=d4")
    assert ran.rc != 0
    assert "aware_away names d4, which the inventory does not have" in said(ran)
    assert tasks(ran) == ["Refuse a run that leaves something out"]


@pytest.mark.parametrize("name", ["rotate.yml", "restore.yml"])
def test_a_run_that_needs_all_names_who_does_not_answer_before_anything_is_changed(name: str, play: Any) -> None:
    ran = play(name, here=("d1", "d2"))
    assert ran.rc != 0
    assert re.search(
        r"d3: no answer \(.*Connection refused\). Nothing was changed: this run needs every host", said(ran)
    )
    assert "-e aware_away=d3" in said(ran)
    assert tasks(ran)[-1] == "Refuse to go on without hosts that are needed"


@pytest.mark.parametrize("name", ["site.yml", "rollback.yml"])
def test_where_nobody_answers_that_is_said(name: str, play: Any) -> None:
    ran = play(name)
    assert ran.rc != 0
    assert re.search(r"d1, d2, d3: no answer \(.*Connection refused\). Nothing was changed: nobody answers", said(ran))


@pytest.mark.parametrize("away", ["d3", '{"aware_away": ["d3"]}'])
def test_who_is_away_is_not_asked_and_the_others_go_on(away: str, play: Any) -> None:
    """As far as it goes without a colony."""
    ran = play("backup.yml", "-e", away if "{" in away else f"aware_away={away}", here=("d1", "d2"))
    assert "Going on without d3" in said(ran)
    assert "UNREACHABLE" not in ran.out
    assert "there is no colony to log in to: playbooks/site.yml makes it" in said(ran)


def test_a_host_on_which_ansible_cannot_work_is_named_with_the_reason(play: Any) -> None:
    broken = '{"ansible_python_interpreter": "/nowhere/python3"}'
    ran = play("backup.yml", "-e", broken, here=("d1", "d2", "d3"))
    assert ran.rc != 0
    assert re.search(
        r"d1 answers, but Ansible cannot work there \(.*/nowhere/python3.*\)\. Nothing was changed", said(ran)
    )


AWAY = {"name": "d3", "status": "away", "away": {"reason": "a new disk", "by": "ada", "since": 1.0}}


@pytest.fixture
def founded(colony: FakeColony, queen: FakeMember, tmp_path: Path) -> Path:
    """The directory of a colony that is founded, and whose queen says that d3 is away."""
    there = [{"name": name, "status": "ready", "away": None} for name in ("d1", "d2")]
    queen.say(routes={"GET /v1/nodes": [200, {"revision": 1, "nodes": [*there, AWAY]}]})
    directory = tmp_path / "colony"
    directory.mkdir()
    (directory / "admin.password").write_text("not needed here")
    (directory / "token").write_text(TOKEN)
    (directory / "token").chmod(0o600)
    context = {"colony": "demo", "endpoints": [queen.url], "ca_file": str(colony.ca), "token_file": "token"}
    (directory / "context.json").write_text(json.dumps(context))
    return directory


def test_who_was_sent_away_is_not_asked_and_is_named(founded: Path, play: Any) -> None:
    ran = play("backup.yml", "-e", f"aware_directory={founded}", here=("d1", "d2"))
    assert "Going on without d3" in said(ran)
    assert "UNREACHABLE" not in ran.out


def test_a_colony_that_cannot_be_asked_is_no_reason_to_stop(founded: Path, queen: FakeMember, play: Any) -> None:
    queen.kill()
    ran = play("backup.yml", "-e", f"aware_directory={founded}", here=("d1", "d2"))
    assert "UNREACHABLE" in ran.out
    assert "Going on without d3" in said(ran), "it does not answer"


def test_the_last_line_says_who_is_away_and_why(ansible: Any, tmp_path: Path) -> None:
    ran = ends(ansible, tmp_path, "end.yml", aware_sent_away={"d3": "a new disk"}, aware_end=["done"])
    assert ran.rc == 0
    assert (
        "Left out, because the colony says that they are away: d3 (a new disk). Back again: aware nodes back"
        in said(ran)
    )


@pytest.mark.parametrize("limit", ["d2", "d2,localhost", "aware_bootstrap:&d2", "!d1:!d3"])
def test_a_limit_touches_only_whom_it_names_where_a_colony_is(founded: Path, play: Any, limit: str) -> None:
    ran = play("site.yml", "-e", f"aware_directory={founded}", "--limit", limit, here=("d1", "d2", "d3"))
    assert "which this playbook needs" not in said(ran)
    assert "Going on without d1, d3" in said(ran)
    assert not re.search(r"^(ok|changed|fatal): \[(d1|d3)[\] ]", ran.out, re.MULTILINE)
    assert re.search(r"^ok: \[d2\]", ran.out, re.MULTILINE)
    assert "Decide who founds the colony and who may sit in its council" in ran.out, "localhost steers it"


@pytest.mark.parametrize("limit", ["d2", "d2,localhost"])
def test_a_colony_that_is_not_founded_needs_all(founded: Path, play: Any, limit: str) -> None:
    (founded / "founding.key").write_text("x")
    ran = play("site.yml", "-e", f"aware_directory={founded}", "--limit", limit, here=("d1", "d2", "d3"))
    assert ran.rc != 0
    assert f"--limit {limit} leaves out d1, d3, which this playbook needs" in said(ran)
    assert tasks(ran) == ["Refuse a run that leaves something out"]


def test_a_limit_never_lets_a_playbook_of_the_whole_colony_go_on(founded: Path, play: Any) -> None:
    ran = play("destroy.yml", "-e", f"aware_directory={founded}", "--limit", "d2", here=("d1", "d2", "d3"))
    assert ran.rc != 0
    assert "--limit d2 leaves out localhost, which this playbook needs" in said(ran)
    assert tasks(ran) == ["Refuse a run that leaves something out"]
