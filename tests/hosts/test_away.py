"""One worker is off: the others are seen to, it is named, and it is left out when aware_away or the colony says so."""

from __future__ import annotations

import pytest
from hosts_support import HostsLab, Play
from install_support import BIN, Site

pytestmark = pytest.mark.hosts
HOSTS = 4
THERE = ["h1", "h2", "h3"]
AWAY = ("-e", "aware_away=h4")


@pytest.fixture(scope="module")
def site(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Four hosts of which the last is off. The tests below follow each other."""
    made = Site(lab, tmp_path_factory.mktemp("site"))
    backups = {"backup": {"every": "6h", "target": "directory"}}
    made.write(*THERE, "h4", policies=backups)
    lab.kill("h4")
    return made


def words(play: Play) -> str:
    return " ".join(play.output.split())


def test_the_others_are_installed_and_the_one_that_is_off_is_named_last(site: Site) -> None:
    played = site.play()
    assert played.code != 0
    assert "Not done on h4, which did not answer; everywhere else it is done." in words(played)
    assert "-e aware_away=h4" in words(played)
    assert site.ready() == THERE
    assert played.counts("failed") == {"h1": 0, "h2": 0, "h3": 0, "h4": 0, "localhost": 1}


@pytest.mark.parametrize("playbook", ["site", "verify", "upgrade", "backup"])
def test_who_is_said_to_be_away_is_asked_by_nobody(site: Site, playbook: str) -> None:
    played = site.play(playbook, *AWAY).succeeded()
    assert "UNREACHABLE" not in played.output
    assert "Left out, because aware_away names them: h4" in words(played)
    assert played.counts("changed").get("h4", 0) == 0


def test_a_rotation_asks_to_be_told_and_then_goes_on(site: Site) -> None:
    refused = site.play("rotate")
    assert refused.code != 0
    assert "h4: no answer" in words(refused)
    assert "Nothing was changed: this run needs every host" in words(refused)
    assert not any(refused.counts("changed").values())
    site.play("rotate", *AWAY, "-e", "aware_rotation_patience=5").succeeded()
    assert site.ready() == THERE


def test_the_queens_inventory_reaches_hosts_without_more_words(site: Site) -> None:
    done = site.lab.enter(
        "env",
        f"ANSIBLE_CONFIG={site.lab.directory}/none.cfg",
        *(str(word) for word in (BIN / "ansible", "-i", site.folder / ".aware" / "aware.yml")),
        "all",
        "-m",
        "ansible.builtin.ping",
        timeout_s=300,
    )
    assert done.stdout.count("SUCCESS") == 3


def test_when_it_is_on_a_run_limited_to_it_takes_it_in_and_touches_no_other(site: Site) -> None:
    site.lab.start("h4")
    played = site.play("site", "--limit", "h4").succeeded()
    assert set(played.counts("ok")) == {"h4", "localhost"}
    assert "Left alone, as --limit says: h1, h2, h3" in words(played)
    assert site.ready() == [*THERE, "h4"]


def test_who_was_sent_away_is_left_out_without_a_word_on_the_command_line(site: Site) -> None:
    assert site.aware("nodes", "away", "h4", "--reason", "a new disk")["left"] == []
    site.lab.kill("h4")
    for playbook in ("site", "verify", "backup"):
        played = site.play(playbook).succeeded()
        assert "UNREACHABLE" not in played.output
        assert "Left out, because the colony says that they are away: h4 (a new disk)" in words(played)
    assert site.ready() == THERE
    site.lab.start("h4")
    site.aware("nodes", "back", "h4")
    site.play().succeeded()
    assert site.ready() == [*THERE, "h4"]
