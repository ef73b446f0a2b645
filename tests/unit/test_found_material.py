from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from security_support import NOW

from aware_agent.agent.material import (
    FOUNDER_USER,
    MEMBER_NAME,
    Material,
    make_material,
    make_member_certificates,
)
from aware_agent.agent.state import StateCorrupted, StateDir, StateUnusable
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.security import pki

DAY = 86400.0


def make(root: Path, **changes: Any) -> Material:
    options: dict[str, Any] = {
        "etcd_addresses": ["127.0.0.1:23790"],
        "founder_name": "demo-1",
        "founder_address": "127.0.0.1",
        "founder_state": root / "nodes" / "demo-1" / "state",
        "now": NOW,
        **changes,
    }
    return make_material(options.pop("colony", "demo"), root / "material", **options)


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_material_is_complete_and_fits_together(tmp_path: Path) -> None:
    material = make(tmp_path)
    state = StateDir(tmp_path / "nodes" / "demo-1" / "state").load()
    assert state is not None
    assert state.identity.id == material.founder_id
    assert state.membership.secret == material.secret
    assert state.membership.etcd == ("127.0.0.1:23790",)
    assert state.ca == material.ca.certificate
    pki.check_certificate(state.certificate, key=state.key, ca=state.ca, common_name=material.founder_id)
    assert pki.facts(state.certificate).sans == {"demo-1", "localhost", "queen.demo.aware", "127.0.0.1"}
    assert pki.facts(material.founder.certificate).common_name == FOUNDER_USER
    assert pki.facts(material.etcd.certificate).sans >= {"127.0.0.1", "localhost"}
    for pair in (material.etcd, material.founder):
        assert pki.is_issued_by(pair.certificate, material.ca.certificate)
    assert material.token.ca_pin == pki.ca_pin(material.ca.certificate)


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    material = make(tmp_path)
    assert stat.S_IMODE(material.directory.stat().st_mode) == 0o700
    for path in material.directory.iterdir():
        if path.suffix != ".crt":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert material.token.secret not in repr(material)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    first = make(tmp_path)
    assert first.changed
    before = snapshot(tmp_path)
    second = make(tmp_path, now=NOW + DAY)
    assert second.changed == ()
    assert snapshot(tmp_path) == before
    assert (second.secret, second.token, second.founder_id) == (first.secret, first.token, first.founder_id)


def test_a_new_address_renews_only_what_names_it(tmp_path: Path) -> None:
    first = make(tmp_path)
    second = make(tmp_path, etcd_addresses=["127.0.0.1:23790", "[::1]:23790", "https://127.0.0.9:1"])
    assert {path.name for path in second.changed} == {"etcd.crt", "colony.json"}
    assert second.etcd.key == first.etcd.key
    assert pki.facts(second.etcd.certificate).sans >= {"::1", "127.0.0.9"}
    third = make(
        tmp_path, etcd_addresses=["127.0.0.1:23790", "[::1]:23790", "https://127.0.0.9:1"], founder_address="127.0.0.3"
    )
    assert {path.name for path in third.changed} == {"colony.json"}
    assert third.founder_id == first.founder_id


def test_certificates_about_to_end_are_renewed_with_the_same_keys(tmp_path: Path) -> None:
    first = make(tmp_path)
    later = make(tmp_path, now=NOW + (pki.NODE_DAYS - 10) * DAY)
    assert {path.name for path in later.changed} == {"etcd.crt", "founder.crt", "colony.json"}
    assert (later.etcd.key, later.ca, later.founder_id) == (first.etcd.key, first.ca, first.founder_id)
    again = make(tmp_path, now=NOW + (pki.NODE_DAYS - 10) * DAY)
    assert again.changed == ()


class Killed(BaseException):
    """Stands for a kill: nothing between it and the caller may clean up."""


def make_until_killed(root: Path, step: int, when: str, patch: pytest.MonkeyPatch) -> bool:
    """Run and be killed right before or after write number ``step``; False when there are not that many."""
    real, count = os.replace, iter(range(99))

    def replace(source: Path, target: Path) -> None:
        hit = next(count) == step
        if hit and when == "before":
            raise Killed
        real(source, target)
        if hit:
            raise Killed

    with patch.context() as patched:
        patched.setattr(os, "replace", replace)
        try:
            make(root)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_the_next_run_completes_it(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 0
    while make_until_killed(root := tmp_path / str(step), step, when, monkeypatch):
        # Without its commit mark a node certificate counts for nothing and is made anew.
        passing = (".tmp", "node.crt")
        kept = {name: data for name, data in snapshot(root).items() if not name.endswith(passing)}
        completed = make(root)
        after = snapshot(root)
        assert {name: after[name] for name in kept} == kept, "what was made before the kill is kept"
        assert StateDir(root / "nodes" / "demo-1" / "state").load() is not None
        assert not [name for name in after if name.endswith(".tmp")]
        assert completed.token.ca_pin == pki.ca_pin(completed.ca.certificate)
        assert make(root).changed == ()
        step += 1
    assert step == 12, "seven files of material, five of the founder's state"


@pytest.mark.parametrize("name", ["ca.key", "etcd.key", "founder.key", "material.json"])
def test_a_missing_secret_is_refused_not_replaced(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / "material" / name).unlink()
    before = snapshot(tmp_path)
    with pytest.raises(StateCorrupted, match=f"{name.replace('.', '[.]')} is missing"):
        make(tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff", b"{}"])
@pytest.mark.parametrize(
    "name", ["ca.key", "ca.crt", "etcd.key", "etcd.crt", "founder.key", "founder.crt", "material.json"]
)
def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path, name: str, content: bytes) -> None:
    make(tmp_path)
    (tmp_path / "material" / name).write_bytes(content)
    before = snapshot(tmp_path)
    with pytest.raises(StateCorrupted) as caught:
        make(tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_damaged_key_without_certificate_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "material" / "etcd.crt").unlink()
    (tmp_path / "material" / "etcd.key").write_bytes(b"rubbish")
    with pytest.raises(StateCorrupted, match=r"etcd\.key is damaged"):
        make(tmp_path)


def test_an_open_secret_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "material" / "ca.key").chmod(0o644)
    with pytest.raises(StateUnusable, match="chmod 600"):
        make(tmp_path)


def test_another_colony_or_founder_is_refused_without_harm(tmp_path: Path) -> None:
    make(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(Conflict, match="colony 'demo'"):
        make(tmp_path, colony="other")
    with pytest.raises(InvalidInput, match="joined as 'demo-1'"):
        make(tmp_path, founder_name="demo-9")
    assert snapshot(tmp_path) == before


def test_a_state_directory_of_another_colony_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path / "one")
    theirs = tmp_path / "one" / "nodes" / "demo-1" / "state"
    before = snapshot(theirs)
    with pytest.raises(Conflict, match="another colony"):
        make(tmp_path / "two", founder_state=theirs)
    assert snapshot(theirs) == before


def test_a_name_that_is_no_host_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        make(tmp_path, founder_name="Demo 1")
    assert not (tmp_path / "material").exists()


def test_a_founder_the_colony_looks_after_is_left_alone_until_its_certificate_ran_out(tmp_path: Path) -> None:
    first = make(tmp_path)
    directory = StateDir(tmp_path / "nodes" / "demo-1" / "state")
    state = directory.load()
    assert state is not None
    renewed = msgspec.structs.replace(state.membership, issued_at=NOW, secret=b"n" * 32, generation=2)
    csr = pki.make_csr(state.key, state.identity.id, "demo-1")
    short = pki.sign_csr(first.ca, csr, node_id=state.identity.id, sans=["demo-1"], now=NOW, days=7)
    directory.save(renewed, certificate=short, ca=state.ca)
    assert make(tmp_path, now=NOW + 6 * DAY).changed == ()
    moved = make(tmp_path, now=NOW + 6 * DAY, etcd_addresses=["127.0.0.1:4"])
    assert "colony.json" in {path.name for path in moved.changed}
    kept = directory.load()
    assert kept is not None
    assert (kept.membership.etcd, kept.membership.secret, kept.certificate) == (("127.0.0.1:4",), b"n" * 32, short)
    # A colony that was off for longer than its certificates live starts again from here.
    directory.save(msgspec.structs.replace(renewed, secret=first.secret, generation=1), certificate=short, ca=state.ca)
    make(tmp_path, now=NOW + 8 * DAY)
    again = directory.load()
    assert again is not None
    assert pki.facts(again.certificate).not_after > NOW + 9 * DAY


def test_each_member_of_etcd_gets_a_certificate_of_its_own(tmp_path: Path) -> None:
    material = make(tmp_path, etcd_addresses=["192.0.2.11:2379", "192.0.2.12:2379"])
    members = {"demo-1": "192.0.2.11", "demo-2": "2001:db8::2"}
    written = make_member_certificates(material.directory, members, now=NOW)
    assert {path.name for path in written} == {f"etcd-{name}.{kind}" for name in members for kind in ("key", "crt")}
    for name, address in members.items():
        certificate = (material.directory / f"etcd-{name}.crt").read_bytes()
        facts = pki.facts(certificate)
        assert facts.sans == {address, name, "localhost", "127.0.0.1"}
        assert facts.common_name == MEMBER_NAME, "etcd takes peers by this name"
        assert pki.is_issued_by(certificate, material.ca.certificate)
        assert stat.S_IMODE((material.directory / f"etcd-{name}.key").stat().st_mode) == 0o600


def test_certificates_of_members_are_kept_while_they_are_good(tmp_path: Path) -> None:
    directory = make(tmp_path).directory
    make_member_certificates(directory, {"demo-1": "192.0.2.11", "demo-2": "192.0.2.12"}, now=NOW)
    before = snapshot(directory)
    assert make_member_certificates(directory, {"demo-2": "192.0.2.12", "demo-1": "192.0.2.11"}, now=NOW + DAY) == ()
    assert snapshot(directory) == before
    moved = make_member_certificates(directory, {"demo-1": "192.0.2.99", "demo-2": "192.0.2.12"}, now=NOW + DAY)
    assert [path.name for path in moved] == ["etcd-demo-1.crt"]
    late = make_member_certificates(directory, {"demo-2": "192.0.2.12"}, now=NOW + (pki.NODE_DAYS - 10) * DAY)
    assert [path.name for path in late] == ["etcd-demo-2.crt"]
    assert snapshot(directory)["etcd-demo-2.key"] == before["etcd-demo-2.key"]


@pytest.mark.parametrize("name", ["Demo", "../x", "", "localhost"])
def test_a_member_whose_name_is_none_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    directory = make(tmp_path).directory
    before = snapshot(directory)
    with pytest.raises(InvalidInput):
        make_member_certificates(directory, {"demo-1": "192.0.2.11", name: "192.0.2.12"}, now=NOW)
    assert snapshot(directory) == before


def test_members_need_the_material(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="holds no founding material"):
        make_member_certificates(tmp_path, {"demo-1": "192.0.2.11"}, now=NOW)
    assert list(tmp_path.iterdir()) == []
