"""The material directory through rotations and aborts, killed at every write."""

from __future__ import annotations

import os
import time
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

import pytest

from aware_agent.agent.material import Material, make_material
from aware_agent.cli.rotation_files import Synced, prepare_next, sync
from aware_agent.colony.errors import Conflict
from aware_agent.security import pki


def make(root: Path) -> Material:
    return make_material(
        "demo",
        root,
        etcd_addresses=["127.0.0.1:2379"],
        founder_name="demo-1",
        founder_address="127.0.0.1",
        founder_state=root / "founder-state",
        now=time.time(),
    )


Both = tuple[bytes, bytes]  # certificates of node CA and council CA


def bring(root: Path, generation: int, *cas: Both, settled: bool = False) -> Synced:
    bundle, council_bundle = (b"".join(each) for each in zip(*cas, strict=True))
    return sync(root, generation=generation, settled=settled, bundle=bundle, council_bundle=council_bundle)


def first_cas(material: Material) -> Both:
    return material.ca.certificate, material.council_ca.certificate


def next_cas(brought: Mapping[str, str]) -> Both:
    return brought["ca_certificate"].encode(), brought["council_ca_certificate"].encode()


def test_a_whole_rotation_and_the_directory_is_whole_again(tmp_path: Path) -> None:
    first = make(tmp_path)
    brought = prepare_next(tmp_path, 2)
    assert prepare_next(tmp_path, 2) == brought, "asked again, the same is brought"
    new_ca, old_ca = next_cas(brought), first_cas(first)
    assert len({*new_ca, *old_ca}) == 4
    assert bring(tmp_path, 1, old_ca, new_ca) == Synced(("ca.crt", "council-ca.crt"), believes_others=True)
    assert bring(tmp_path, 1, old_ca, new_ca) == Synced((), believes_others=False)
    # In between it still is a directory to found from; a founder's state that never ran believes what is believed.
    assert {path.name for path in make(tmp_path).changed} == {"colony.json"}
    assert make(tmp_path).changed == ()
    switched = bring(tmp_path, 2, new_ca, old_ca)
    assert {"ca.key", "council-ca.key", "material.json", "etcd.crt", "founder.crt"} <= set(switched.written)
    assert not switched.believes_others
    done = bring(tmp_path, 2, new_ca, settled=True)
    assert done == Synced(("ca.crt", "council-ca.crt"), believes_others=True)
    assert not (tmp_path / "next").exists()
    assert not (tmp_path / "previous").exists()
    again = make(tmp_path)
    assert again.secret == b64decode(brought["secret"])
    assert again.ca == pki.Pair(new_ca[0], brought["ca_key"].encode())
    assert again.council_ca == pki.Pair(new_ca[1], brought["council_ca_key"].encode())
    assert again.etcd.key == first.etcd.key
    assert pki.is_issued_by(again.etcd.certificate, again.council_ca.certificate)


def test_turned_back_everything_is_as_it_was(tmp_path: Path) -> None:
    first = make(tmp_path)
    new_ca, old_ca = next_cas(prepare_next(tmp_path, 2)), first_cas(first)
    bring(tmp_path, 1, old_ca, new_ca)
    bring(tmp_path, 2, new_ca, old_ca)
    bring(tmp_path, 1, old_ca, new_ca)
    bring(tmp_path, 1, old_ca, settled=True)
    again = make(tmp_path)
    assert (again.secret, again.ca, again.council_ca) == (first.secret, first.ca, first.council_ca)


def test_a_directory_without_what_is_asked_is_left_alone(tmp_path: Path) -> None:
    first = make(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(Conflict, match="generation 2"):
        bring(tmp_path, 2, first_cas(first))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


class Killed(BaseException):
    """Stands for a kill: nothing between it and the caller may clean up."""


def test_killed_at_any_write_the_next_run_finishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, step, killed = os.replace, 0, True
    while killed:
        root = tmp_path / str(step)
        first = make(root)
        new_ca, old_ca = next_cas(prepare_next(root, 2)), first_cas(first)
        count = iter(range(999))

        def replace(source: Path, target: Path, step: int = step, count: object = count) -> None:
            if next(count) == step:  # type: ignore[call-overload]
                raise Killed
            real(source, target)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replace)
            try:
                bring(root, 2, new_ca, old_ca)
                killed = False
            except Killed:
                pass
        bring(root, 2, new_ca, old_ca)
        assert bring(root, 2, new_ca, old_ca) == Synced((), believes_others=False)
        bring(root, 2, new_ca, settled=True)
        assert first_cas(make(root)) == new_ca
        step += 1
    assert step > 12
