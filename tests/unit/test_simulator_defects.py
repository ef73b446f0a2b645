"""Deliberate defects are found in virtual time: a few of them here, all by ``make simulate-mutations``."""

from __future__ import annotations

import pytest
import simulator_defects
from simulator_defects import DEFECTS, Defect, find, made, put

from aware_agent.agent.elector import Elector
from aware_agent.colony import election

pytestmark = pytest.mark.no_cover

QUICK = (
    "a write without a fence",
    "a fence that any queen passes",
    "a newer queen ignored",
    "everybody campaigns at once",
    "half of the council as its majority",
    "a council larger than wanted",
    "a step of the council without a fence",
    "a founder who does not wait for all",
    "a colony that serves with half of its founders",
)


@pytest.mark.parametrize("name", QUICK)
def test_a_defect_is_found(name: str) -> None:
    found = find(next(defect for defect in DEFECTS if defect.name == name), 12)
    assert found is not None, "nobody noticed"
    assert found.verdict != "ok"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_table_fits_the_code(monkeypatch: pytest.MonkeyPatch, defect: Defect) -> None:
    put(defect, monkeypatch)
    assert defect.old != defect.new


def test_there_are_enough_of_them_and_none_stays_in_the_code() -> None:
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 20
    real, table = Elector._evict, dict(election._TABLE)
    for defect in DEFECTS:
        with made(defect):
            pass
    assert Elector._evict is real
    assert table == election._TABLE


def test_a_table_that_no_longer_fits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    old = Defect("of yesterday", "aware_agent.agent.elector:Elector._evict", "no such line", "", lambda _: "ok")
    with pytest.raises(LookupError, match="has 0 times 'no such line'"):
        put(old, monkeypatch)


def test_what_nobody_finds_is_said_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harmless = Defect("harmless", "aware_agent.agent.elector:Elector._evict", "term", "term", lambda _: "ok")
    harmless = harmless._replace(old="async def _evict(self, term: int)", new="async def _evict(self, term: int)")
    monkeypatch.setattr(simulator_defects, "DEFECTS", (harmless,))
    assert simulator_defects.main([]) == 1
    assert "harmless" in (out := capsys.readouterr().out)
    assert "NOT FOUND" in out
    assert out.endswith("0 of 1 defects were found\n")
