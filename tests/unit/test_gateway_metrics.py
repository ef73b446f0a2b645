"""The text format is what Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from aware_agent.telemetry import Family, Histogram, RequestCounter, counter, gauge, render


def _read(families: list[Family]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render(families).decode())
        for sample in family.samples
    }


def test_what_is_rendered_is_read_back() -> None:
    families = [
        gauge("aware_term", "The term.", 12),
        counter("aware_beacons_total", "Beacons heard.", 3, kind="announce"),
        counter("aware_beacons_total", "Beacons heard.", 0.25, kind='a "hostile"\\ \n one'),
        Family("aware_nodes", "gauge", "Nodes\nby \\ status.", [({"status": "ready"}, 1e18), ({"status": "dead"}, 0)]),
    ]
    assert _read(families) == {
        ("aware_term", ()): 12,
        ("aware_beacons_total", (("kind", "announce"),)): 3,
        ("aware_beacons_total", (("kind", 'a "hostile"\\ \n one'),)): 0.25,
        ("aware_nodes", (("status", "ready"),)): 1e18,
        ("aware_nodes", (("status", "dead"),)): 0,
    }


def test_help_and_type_come_once_per_name() -> None:
    text = render(
        [gauge("aware_a", "A.", 1, x="1"), gauge("aware_b", "B.", 2), gauge("aware_a", "A.", 3, x="2")]
    ).decode()
    assert text.count("# HELP aware_a") == text.count("# TYPE aware_a") == 1
    assert text.index('aware_a{x="2"}') < text.index("# HELP aware_b")


def test_special_numbers() -> None:
    values = _read([gauge("aware_up", "Infinity.", float("inf")), gauge("aware_down", "Less.", float("-inf"))])
    assert values == {("aware_up", ()): float("inf"), ("aware_down", ()): float("-inf")}


def test_requests_are_counted_by_class() -> None:
    requests = RequestCounter()
    for status in (200, 201, 304, 404, 503):
        requests.counts["/v1/nodes", status] += 1
    values = {labels["status"]: value for labels, value in requests.family().samples}
    assert values == {"2xx": 2, "3xx": 1, "4xx": 1, "5xx": 1}


def test_durations_are_a_histogram_as_prometheus_reads_it() -> None:
    durations = Histogram("aware_wait_seconds", "Waits.", "route", bounds=(0.1, 1.0))
    assert render([], [durations]) == b"", "nothing was timed"
    for seconds in (0.05, 0.1, 0.5, 3.0):
        durations.observe("/v1/nodes", seconds)
    durations.observe('odd "one"', 0.0)
    (family,) = text_string_to_metric_families(render([], [durations]).decode())
    assert family.type == "histogram"
    values = {(s.name, s.labels["route"], s.labels.get("le")): s.value for s in family.samples}
    assert values["aware_wait_seconds_bucket", "/v1/nodes", "0.1"] == 2, "a bound belongs to its bucket"
    assert values["aware_wait_seconds_bucket", "/v1/nodes", "1.0"] == 3
    assert (
        values["aware_wait_seconds_bucket", "/v1/nodes", "+Inf"]
        == values["aware_wait_seconds_count", "/v1/nodes", None]
    )
    assert values["aware_wait_seconds_count", "/v1/nodes", None] == 4
    assert values["aware_wait_seconds_sum", "/v1/nodes", None] == 3.65
    assert values["aware_wait_seconds_bucket", 'odd "one"', "0.1"] == 1
