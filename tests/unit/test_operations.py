"""Files of ``operations.d``: what makes an operation, and what is skipped and said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aware_agent.agent.member import operations
from aware_agent.agent.member.operations import MemberOperations, RunnerMissing, check_parameters, read_operations
from aware_agent.agent.settings import JobSettings
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.hook import HookOperation
from aware_agent.colony.operation import BUILT_IN, MAX_FILE_BYTES, Operation, check_secrets, with_defaults
from aware_agent.queen.jobs.builtin import OPERATIONS, order_of, parameters_of

GOOD = """
playbook: plays/restart.yaml
description: restart the web servers, one after the other
role: admin
time_limit_s: 300
concurrency: 1
group: web
castes: [web]
uses: [lab, key]
idempotent: true
parameters:
  required: [serial]
  properties:
    serial: {type: integer, minimum: 1, maximum: 10}
    graceful: {type: boolean, default: true}
    password: {type: string, writeOnly: true}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "operations.d"
    (found / "plays").mkdir(parents=True)
    (found / "plays" / "restart.yaml").write_text("- hosts: all\n")
    return found


def read(directory: Path, text: str, name: str = "restart-web.yml") -> tuple[Operation | None, str]:
    (directory / name).write_text(text)
    found, problems = read_operations(directory)
    return (found[0] if found else None), (problems[0].message if problems else "")


def test_a_file_makes_an_operation(directory: Path) -> None:
    found, problem = read(directory, GOOD)
    assert problem == ""
    assert found is not None
    assert found.name == "restart-web"
    assert found.playbook == str(directory / "plays" / "restart.yaml")
    assert (found.role, found.lane, found.castes, found.idempotent) == ("admin", "web", ("web",), True)
    assert found.secrets == ("password",)
    assert found.uses == ("lab", "key")
    assert len(found.digest) == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("playbook: [", "not YAML"),
        ("playbook: plays/restart.yaml\nplaybook: plays/restart.yaml\n", "twice"),
        ("a: &x [*x]\nplaybook: p.yml\n", ""),
        ("", "mapping"),
        ("- a\n", "mapping"),
        ("playbook: plays/nothing.yaml\n", "there is no playbook"),
        ("playbook: plays/restart.sh\n", "YAML file"),
        (GOOD.replace("role: admin", "role: viewer"), "role"),
        (GOOD.replace("time_limit_s: 300", "time_limit_s: 0"), "time_limit_s 0"),
        (GOOD.replace("time_limit_s: 300", "time_limit_s: .nan"), ""),
        (GOOD.replace("concurrency: 1", "concurrency: 99"), "concurrency 99"),
        (GOOD.replace("group: web", "group: ../x"), "group"),
        (GOOD.replace("[web]", "[Web!]"), "caste"),
        (GOOD.replace("[lab, key]", "[lab, lab]"), "twice"),
        (GOOD.replace("[lab, key]", "[../lab]"), "no name of a secret"),
        (GOOD + "shell: rm -rf /\n", "shell"),
        (GOOD.replace("serial: {type", "ansible_host: {type"), "cannot be a parameter"),
        (GOOD.replace("serial: {type", "aware_term: {type"), "cannot be a parameter"),
        (GOOD.replace("serial: {type: integer,", "serial: {type: nonsense,"), "JSON Schema"),
        (GOOD.replace("type: string, writeOnly", "type: integer, writeOnly"), "secret is a string"),
        (GOOD + "  additionalProperties: true\n", "additionalProperties"),
        (GOOD + "  patternProperties: {}\n", "patternProperties"),
        ("#" * (MAX_FILE_BYTES + 1), "larger"),
    ],
)
def test_what_is_wrong_is_skipped_and_said(directory: Path, text: str, said: str) -> None:
    (directory / "zz-good.yml").write_text(GOOD)
    (directory / "restart-web.yml").write_text(text)
    found, problems = read_operations(directory)
    assert [one.name for one in found] == ["zz-good"], "the others are not its victims"
    assert [Path(problem.file).name for problem in problems] == ["restart-web.yml"]
    assert said in problems[0].message
    assert problems[0].message


@pytest.mark.parametrize("name", ["Web.yml", "scale.yml", "verify.yml", "a b.yml", ".yml", f"{'x' * 41}.yml"])
def test_names_that_are_none_or_taken(directory: Path, name: str) -> None:
    found, problem = read(directory, GOOD, name)
    assert found is None
    assert problem or name == ".yml"


def test_what_others_may_write_is_not_trusted(directory: Path) -> None:
    (directory / "restart-web.yml").write_text(GOOD)
    for path in (directory / "restart-web.yml", directory / "plays" / "restart.yaml", directory / "plays"):
        mode = path.stat().st_mode
        path.chmod(mode | 0o002)
        assert read_operations(directory)[0] == ()
        path.chmod(mode)
    assert len(read_operations(directory)[0]) == 1
    if os.geteuid() == 0:
        os.chown(directory / "restart-web.yml", 65534, 65534)
        assert "chown root" in read_operations(directory)[1][0].message


def test_no_directory_is_no_operation_and_no_problem(tmp_path: Path) -> None:
    assert read_operations(tmp_path / "nothing") == ((), ())


async def test_a_look_tells_whoever_listens_once(directory: Path) -> None:
    told: list[str] = []
    member = MemberOperations(JobSettings(operations_dir=str(directory)), lambda: told.append("node"))
    member.listeners.append(lambda: told.append("queen"))
    await member.look()
    await member.look()
    assert told == ["node", "queen"]
    (directory / "restart-web.yml").write_text(GOOD)
    await member.look()
    assert told == ["node", "queen"] * 2
    assert member.found.report.operations == {"restart-web": member.found.operations[0].digest}


def operation(directory: Path) -> Operation:
    found, _ = read(directory, GOOD)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "parameters"),
        ({"serial": 0}, "parameters.serial"),
        ({"serial": "1"}, "parameters.serial"),
        ({"serial": 1, "other": 1}, "parameters.other"),
        ({"serial": 1, "ansible_host": "x"}, "parameters.ansible_host"),
        ({"serial": 1, "password": 7}, "parameters.password"),
    ],
)
def test_parameters_are_what_the_schema_says(directory: Path, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_parameters(operation(directory), given)
    assert refused.value.field == field


def test_a_secret_is_not_in_the_refusal(directory: Path) -> None:
    text = GOOD.replace("writeOnly: true", "writeOnly: true, pattern: '^[0-9]+$'")
    found, _ = read(directory, text)
    assert found is not None
    with pytest.raises(InvalidInput) as refused:
        check_parameters(found, {"serial": 1, "password": "hunter22"})
    assert "hunter22" not in str(refused.value)
    with pytest.raises(InvalidInput, match="cannot be masked"):
        check_secrets(found, {"password": "abc"})


def test_defaults_are_filled_in(directory: Path) -> None:
    found = operation(directory)
    assert with_defaults(found, {"serial": 2}) == {"serial": 2, "graceful": True}
    check_parameters(found, with_defaults(found, {"serial": 2, "graceful": False}))


def test_a_schema_fetches_nothing(directory: Path) -> None:
    text = GOOD.replace("graceful: {type: boolean, default: true}", "graceful: {$ref: 'http://127.0.0.1:1/x'}")
    found, problem = read(directory, text)
    assert (problem, found is None) == ("", False)
    assert found is not None
    with pytest.raises(InvalidInput, match="refers to nothing"):
        check_parameters(found, {"serial": 1, "graceful": True})


def test_the_built_in_ones_are_the_reserved_names_and_take_what_hooks_give() -> None:
    assert {one.name for one in OPERATIONS} == BUILT_IN == set(HookOperation)
    for one in OPERATIONS:
        assert not one.playbook or Path(one.playbook).is_file()
    scale = OPERATIONS[0]
    assert parameters_of(order_of(scale, {"delta": -2, "caste": "web"})) == {"delta": -2, "caste": "web"}
    for bad in ({}, {"delta": 0}, {"delta": "1"}, {"delta": 1, "reference": "x"}, {"delta": 1, "operation": "join"}):
        with pytest.raises((InvalidInput, TypeError)):
            order_of(scale, bad)


def test_without_ansible_runner_playbooks_are_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations.importlib.util, "find_spec", lambda name: None)
    member = MemberOperations(JobSettings())
    member.require_runner(OPERATIONS[0])
    with pytest.raises(RunnerMissing) as refused:
        member.require_runner(OPERATIONS[2])
    assert "aware-agent[runner]" in refused.value.hint
    assert refused.value.status == 501
    assert "ansible_runner" in operations.look(JobSettings()).report.problem
