"""Statistics, records and arguments of the benchmarks; nothing is timed here."""

from __future__ import annotations

import json
import os
import signal
import tomllib

import pytest
from rich.console import Console

from aware_agent.colony.spec import check_spec
from bench import __main__ as command
from bench import failover, formation
from bench.harness import Run, Unavailable, number, percentile, summarize
from bench.lab import default_spec, to_toml
from bench.measure import children, cpu_seconds, pss_mib
from bench.processes import Process, clean_environment
from bench.report import show


def make_run(**options):
    return Run("bench", **{"quick": True, "as_json": True, **options})


def test_statistics_of_a_sample():
    stats = summarize([4.0, 1.0, 3.0, 2.0])
    assert (stats.n, stats.median, stats.min, stats.max) == (4, 2.5, 1.0, 4.0)
    assert stats.p95 == pytest.approx(3.85)


def test_one_value_is_its_own_statistics():
    stats = summarize([7.0])
    assert (stats.n, stats.median, stats.min, stats.max, stats.p95) == (1, 7.0, 7.0, 7.0, 7.0)


@pytest.mark.parametrize(("percent", "value"), [(0, 10.0), (50, 30.0), (100, 50.0), (25, 20.0), (90, 46.0)])
def test_percentiles_interpolate(percent, value):
    assert percentile([50.0, 10.0, 40.0, 20.0, 30.0], percent) == pytest.approx(value)


@pytest.mark.parametrize("call", [lambda: summarize([]), lambda: percentile([], 50), lambda: percentile([1.0], 101)])
def test_no_figure_comes_from_nothing(call):
    with pytest.raises(ValueError, match=r"no values|not a percentage"):
        call()


def test_ratio_stands_beside_peers_of_the_same_unit_only(capsys):
    run = make_run()
    run.record("peer", [2.0], unit="s", kind="peer")
    run.record("peer", [10.0], unit="MiB", kind="peer")
    ours = run.record("ours", [1.0, 1.0, 4.0], unit="s", kind="aware", against=["peer", "absent"])
    assert ours.ratios == {"peer": 0.5}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["what"] for line in lines] == ["peer", "peer", "ours"]
    assert lines[2]["stats"]["n"] == 3
    assert lines[2]["values"] == [1.0, 1.0, 4.0]


def test_a_peer_that_measured_nothing_gives_no_ratio():
    run = make_run()
    run.record("peer", [0.0], unit="s", kind="peer")
    assert run.record("ours", [1.0], unit="s", kind="aware", against=["peer"]).ratios == {}


async def test_trouble_of_a_peer_is_a_skip_with_its_reason(capsys):
    run = make_run(without=["left out"])

    async def lacks():
        raise Unavailable("the program is not installed")

    async def breaks():
        raise RuntimeError("it got stuck")

    await run.peer("left out", breaks)
    await run.peer("lacks", lacks)
    await run.peer("breaks", breaks)
    reasons = [skip.skipped for skip in run.skips]
    assert "--without" in reasons[0]
    assert reasons[1] == "the program is not installed"
    assert "it got stuck" in reasons[2]
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert not run.records


def test_table_shows_every_record_and_skip():
    run = make_run(as_json=False)
    run.record("floor: bare", [2.0], unit="s", kind="floor")
    run.record("ours", [1.0], unit="s", kind="aware", against=["floor: bare"], settings="5 nodes", errors=0)
    run.skip("keepalived", "needs root [sic]")
    console = Console(record=True, width=160, force_terminal=True)
    show(run, console)
    text = console.export_text()
    for part in ("0.500 x floor", "5 nodes (errors 0)", "skipped: keepalived: needs root [sic]"):
        assert part in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (0.5, "0.500"), (1.234, "1.23"), (12.34, "12.3"), (12345.6, "12,346")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_list_names_every_benchmark(capsys):
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(command.BENCHES)


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["failover", "--how", "poison"], ["failover", "--n", "many"], ["api", "--unknown"]]
)
def test_wrong_arguments_are_told_and_nothing_is_started(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("module", [failover, formation])
def test_a_failed_measurement_is_one_line_and_exit_code_1(module, monkeypatch, capsys):
    async def fail(_run, _options):
        raise RuntimeError("the colony did not form")

    monkeypatch.setattr(module, "measure", fail)
    name = module.__name__.rpartition(".")[2]
    assert command.main([name, "--json"]) == 1
    assert capsys.readouterr().err == f"bench {name}: error: RuntimeError: the colony did not form\n"


def test_settings_written_for_an_agent_are_toml():
    document = {"name": 'a"b\\', "seeds": ["x", "y"], "candidate": True, "gateway": {"port": 1, "tls": False}}
    assert tomllib.loads(to_toml(document)) == document


@pytest.mark.parametrize("nodes", [1, 2, 3, 100])
def test_the_labs_spec_is_possible(nodes):
    check_spec(default_spec("lab", nodes))


def test_a_process_is_measured_frozen_and_killed_by_its_own_pid(tmp_path):
    child = Process(["sh", "-c", "echo started; sleep 60 & wait"], tmp_path / "log")
    child.start()
    try:
        with pytest.raises(RuntimeError, match="runs already"):
            child.start()
        while child.tail() != "started" or not children(child.pid):
            assert child.running
        assert cpu_seconds(child.pid) >= 0
        assert pss_mib(child.pid) > 0
        child.freeze()
        assert child.running
        grandchild = children(child.pid)[0]
    finally:
        child.kill()
    assert (child.running, child.exit_code) == (False, -9)
    os.kill(grandchild, signal.SIGKILL)


def test_agents_do_not_inherit_settings(monkeypatch):
    monkeypatch.setenv("AWARE_TOKEN", "secret")
    monkeypatch.setenv("ANSIBLE_CONFIG", "/nowhere")
    monkeypatch.setenv("KEPT", "yes")
    environment = clean_environment()
    assert "AWARE_TOKEN" not in environment
    assert "ANSIBLE_CONFIG" not in environment
    assert environment["KEPT"] == "yes"
