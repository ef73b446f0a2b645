"""What an agent fills in by itself: its name and its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.agent.settings import SettingsInvalid, load_settings
from aware_agent.agent.state import StateDir


def test_a_host_that_was_renamed_after_its_join_keeps_its_nodes_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, state = tmp_path / "agent.toml", StateDir(tmp_path / "state")
    state.prepare()
    state.ensure_identity("before", now=1.0)
    file.write_text(f'colony = "demo"\nstate_dir = "{state.path}"\naddress = "127.0.0.1"\n')
    monkeypatch.setattr("socket.gethostname", lambda: "after.example")
    assert load_settings(file, {}).name == "after", "it has not joined yet"
    state.membership_path.write_bytes(b"{}")
    assert load_settings(file, {}).name == "before"
    assert load_settings(file, {"AWARE_NAME": "other"}).name == "other", "what is said counts"


@pytest.mark.parametrize(
    ("host", "name", "spare"),
    [
        ("db.east", "db", "db-east"),
        ("DB.West.example.org", "db", "db-west-example-org"),
        ("db", "db", ""),
        ("db." + "x" * 80, "db", "db-" + "x" * 60),
    ],
)
def test_hosts_of_one_short_name_have_each_another_to_fall_back_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, name: str, spare: str
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f'colony = "demo"\nstate_dir = "{tmp_path}/state"\naddress = "127.0.0.1"\n')
    monkeypatch.setattr("socket.gethostname", lambda: host)
    guessed = load_settings(file, {})
    assert (guessed.name, guessed.spare_name) == (name, spare)
    assert load_settings(file, {"AWARE_NAME": "said"}).spare_name == "", "a name that was said is no guess"
    with pytest.raises(SettingsInvalid, match="spare_name"):
        load_settings(file, {"AWARE_NAME": "said", "AWARE_SPARE_NAME": "other"})


def test_a_failed_guess_of_the_address_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f'colony = "demo"\nname = "n"\nstate_dir = "{tmp_path}"\n')
    monkeypatch.setattr("aware_agent.agent.settings._own_address", lambda: "")
    with pytest.raises(SettingsInvalid, match="no default route"):
        load_settings(file, {})
