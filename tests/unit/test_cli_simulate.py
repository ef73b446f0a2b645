"""``aware simulate``: a colony in virtual time from the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from aware_agent.cli.app import app
from aware_agent.simulator import run as runs
from aware_agent.simulator.checker import Broken

pytestmark = pytest.mark.no_cover

SMALL = ("simulate", "--nodes", "3", "--council", "0", "--minutes", "0.5")


def test_a_fault_of_ones_own_is_told_in_order_with_what_it_cost() -> None:
    done = CliRunner().invoke(app, [*SMALL, "--fault", "20 crash queen 5"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    crash = next(number for number, line in enumerate(lines) if "(crash for 5.0 s)" in line)
    assert any("I am queen of term" in line for line in lines[crash:])
    table = {line[:34].strip(): line[34:].strip() for line in lines}
    assert table["faults"] == "1"
    assert table["queens"] == "2"
    assert table["promises"] == "all kept"
    assert table["availability"].endswith("%")


def test_the_same_seed_is_the_same_document() -> None:
    first, second = (CliRunner().invoke(app, [*SMALL, "--every", "5", "--seed", "4", "--json"]) for _ in range(2))
    assert first.exit_code == 0
    assert first.output == second.output
    said = json.loads(first.output)
    assert said["verdict"] == "ok"
    assert said["faults"], "drawn from the seed"
    assert said["timeline"]
    assert 0.5 < said["availability"] <= 1.0
    assert said["longest_outage_s"] <= said["outage_s"]


def test_a_broken_promise_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise Broken("at 1.0 s: two queens")

    monkeypatch.setattr(runs, "_play", broken)
    done = CliRunner().invoke(app, [*SMALL])
    assert done.exit_code == 70
    assert "BROKEN: at 1.0 s: two queens" in done.output


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--nodes", "0"), "0"),
        (("--nodes", "3", "--council", "4"), "--council 4 does not fit 3 nodes"),
        (("--nodes", "3", "--council", "5"), "--council 5 does not fit 3 nodes"),
        (("--minutes", "nan"), "nan"),
        (("--every", "0"), "0"),
        (("--fault", "20 explode"), "--fault '20 explode': there is no kind 'explode'"),
        (("--fault", "20 crash king"), "'king' is not queen or any"),
        (("--fault", "20 crash queen 5 6"), "two to four words"),
        (("--fault", "20 crash queen inf"), "inf s is out of range"),
        (("--fault", "soon crash"), "'soon' is no number of seconds"),
        (("--fault", "99 crash"), "99 s is out of range"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    wrong: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = CliRunner().invoke(app, ["simulate", *wrong])
    assert done.exit_code == 2
    assert said in (done.output + capfd.readouterr().err).replace("\n", " ")
