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
    Material,
    make_material,
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
    assert pki.facts(state.certificate).sans == {"demo-1.node.demo.aware", "council.demo.aware", "127.0.0.1"}
    assert pki.facts(material.founder.certificate).common_name == FOUNDER_USER
    assert pki.facts(material.etcd.certificate).sans >= {"127.0.0.1", "localhost"}
    assert state.council is not None
    assert state.council.ca == material.council_ca.certificate
    pki.check_certificate(
        state.council.certificate, key=state.key, ca=state.council.ca, common_name=material.founder_id
    )
    for certificate in (material.etcd.certificate, material.founder.certificate, state.council.certificate):
        assert pki.is_issued_by(certificate, material.council_ca.certificate), "all that etcd is shown"
        assert not pki.is_issued_by(certificate, material.ca.certificate)
    assert pki.ca_pin(material.ca.certificate) != pki.ca_pin(material.council_ca.certificate)
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
        passing = (".tmp", "node.crt", "council.crt")
        kept = {name: data for name, data in snapshot(root).items() if not name.endswith(passing)}
        completed = make(root)
        after = snapshot(root)
        assert {name: after[name] for name in kept} == kept, "what was made before the kill is kept"
        assert StateDir(root / "nodes" / "demo-1" / "state").load() is not None
        assert not [name for name in after if name.endswith(".tmp")]
        assert completed.token.ca_pin == pki.ca_pin(completed.ca.certificate)
        assert make(root).changed == ()
        step += 1
    assert step == 16, "nine files of material, seven of the founder's state"


@pytest.mark.parametrize("name", ["ca.key", "council-ca.key", "etcd.key", "founder.key", "material.json"])
def test_a_missing_secret_is_refused_not_replaced(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / "material" / name).unlink()
    before = snapshot(tmp_path)
    with pytest.raises(StateCorrupted, match=f"{name.replace('.', '[.]')} is missing"):
        make(tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff", b"{}"])
@pytest.mark.parametrize(
    "name",
    [
        *(f"{stem}.{kind}" for stem in ("ca", "council-ca", "etcd", "founder") for kind in ("key", "crt")),
        "material.json",
    ],
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
    directory.save(renewed, certificate=short, ca=state.ca, council=state.council)
    assert make(tmp_path, now=NOW + 6 * DAY).changed == ()
    moved = make(tmp_path, now=NOW + 6 * DAY, etcd_addresses=["127.0.0.1:4"])
    assert "colony.json" in {path.name for path in moved.changed}
    kept = directory.load()
    assert kept is not None
    assert (kept.membership.etcd, kept.membership.secret, kept.certificate) == (("127.0.0.1:4",), b"n" * 32, short)
    # A colony that was off for longer than its certificates live starts again from here.
    directory.save_membership(msgspec.structs.replace(renewed, secret=first.secret, generation=1))
    make(tmp_path, now=NOW + 8 * DAY)
    again = directory.load()
    assert again is not None
    assert pki.facts(again.certificate).not_after > NOW + 9 * DAY
