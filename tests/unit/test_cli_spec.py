"""Reading specs from files, planning and applying them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.specfile import read_spec
from aware_agent.colony.errors import InvalidInput
from tests.unit.cli_support import Ask, Colony, FakeGateway, Reply, problem

WISH = {"colony": "demo", "size": 3, "castes": {"web": {"count": 2}}}
INVENTORY = """\
---
plugin: aware.cluster.spec
provider: local
directory: ../../.aware
colony: demo
size: 3
castes:
  web:
    count: 2
"""


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    demo.directory.joinpath("cluster.yml").write_text(INVENTORY)
    fake.say("GET /v1/spec", {"revision": 5, "spec": None})
    return fake


def answer_with(changed: bool) -> Any:
    def answer(ask: Ask) -> Reply:
        return Reply(
            {"changed": changed, "dry_run": "dry_run" in ask.query, "revision": 6, "steps": ["move demo-2 to web"]}
        )

    return answer


def run(demo: Colony, verb: str, *more: str) -> Result:
    arguments = ["spec", verb, str(demo.directory / "cluster.yml"), "--context", str(demo.context_file), *more]
    return CliRunner().invoke(app, arguments)


def test_an_inventory_file_is_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(INVENTORY)
    assert read_spec(path).castes["web"].count == 2
    (tmp_path / "cluster.json").write_text(json.dumps(WISH))
    assert read_spec(tmp_path / "cluster.json") == read_spec(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("colony: demo\nsize: 3\nsise: 4\n", "there is no field sise"),
        ("colony: demo\nsize: 1\ncastes: {web: {count: 2}}\n", "castes want 2 nodes, but size is 1"),
        ("colony: demo\nsize: 3\ncastes: {web: {count: x}}\n", "castes.web.count must be a whole number, not text"),
        ("colony: Demo\nsize: 3\n", "cannot be the name of a colony"),
        ("colony: [\n", "is not YAML"),
        ("- a\n", "is not a mapping"),
        ("colony: demo\nsize: .nan\n", "size"),
        ("? [a]\n: b\n", "is not"),
        ("", "is not a mapping"),
        ("colony: demo\nsize: 3\ncastes: &c {web: *c}\n", "holds itself by an alias"),
        ("colony: demo\nsize: " + "9" * 5000 + "\n", "is not YAML"),
        ('{"colony": "demo", "size": ' + "[" * 20000 + "]" * 20000 + "}", "is not"),
    ],
)
def test_bad_specs_are_told_in_one_line(demo: Colony, queen: FakeGateway, text: str, complaint: str) -> None:
    demo.directory.joinpath("cluster.yml").write_text(text)
    result = run(demo, "apply")
    assert result.exit_code == 2, result.output
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert queen.asked == []  # nothing was even asked


@pytest.mark.parametrize("name", ["none.yml", ".", "big.yml", "binary.yml"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "big.yml").write_text("#" * (1 << 20) + "#")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="spec") as refused:
        read_spec(tmp_path / name)
    assert str(refused.value).count(str(tmp_path / name)) == 1, "it is named once"


def test_broken_json_is_not_taken_for_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InvalidInput, match="is not JSON"):
        read_spec(tmp_path / "a.json")


def test_plan_changes_nothing(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["PUT /v1/spec"] = answer_with(changed=True)
    assert run(demo, "plan").stdout == "the colony would:\n  - move demo-2 to web\n"
    assert [ask.query for ask in queen.asked] == [{"dry_run": "true"}]
    assert queen.asked[0].body == WISH


def test_apply_names_the_revision_it_read(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["PUT /v1/spec"] = answer_with(changed=True)
    assert run(demo, "apply").stdout == "the colony will:\n  - move demo-2 to web\n"
    assert queen.asked[-1].headers["If-Match"] == '"5"'
    assert queen.asked[-1].query == {}


def test_apply_of_what_is_so_writes_nothing(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["PUT /v1/spec"] = answer_with(changed=False)
    assert json.loads(run(demo, "apply", "--json").stdout)["changed"] is False
    assert run(demo, "apply").stdout == "nothing to change\n"
    assert all("dry_run" in ask.query for ask in queen.asked)


def test_apply_beside_somebody_else(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["PUT /v1/spec"] = lambda ask: (
        Reply({"changed": True, "steps": []}) if ask.query else problem(412, "precondition-failed", "changed")
    )
    assert run(demo, "apply").exit_code == 5


def test_what_show_prints_can_be_applied(demo: Colony, queen: FakeGateway) -> None:
    tricky = {"colony": "demo", "size": 3, "castes": {"web": {"count": 1, "requires": {"zone": "yes: #no"}}}}
    queen.say("GET /v1/spec", {"revision": 5, "spec": tricky})
    shown = CliRunner().invoke(app, ["spec", "show", "--context", str(demo.context_file)]).stdout
    path = demo.directory / "again.yml"
    path.write_text(shown)
    assert read_spec(path).castes["web"].requires.zone == "yes: #no"
