from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from security_support import NOW

from aware_agent import daemon
from aware_agent.agent.state import Identity, Membership, StateCorrupted, StateDir, StateUnusable
from aware_agent.colony.errors import InvalidInput
from aware_agent.security import pki
from aware_agent.security.records import CouncilAccess

SECRET = b"\xfbcolony secret of thirty-two byt"
MEMBER = Membership(colony="demo", secret=SECRET, etcd=("127.0.0.1:2379",), joined_at=NOW)
CA = pki.create_ca("demo", NOW)
COUNCIL_CA = pki.create_council_ca("demo", NOW)
FILES = ["node.json", "node.key", "node.crt", "ca.crt", "council.crt", "council-ca.crt", "colony.json"]


@pytest.fixture
def member(tmp_path: Path) -> StateDir:
    """A state directory as a join leaves it."""
    state = StateDir(tmp_path / "state")
    state.prepare()
    identity = state.ensure_identity("demo-1", now=NOW, randomness=bytes(10))
    state.save_key(pki.make_key())
    key = state.load_key() or b""
    pair, shown = (pki.issue(ca, key, common_name=identity.id, sans=["demo-1"], now=NOW) for ca in (CA, COUNCIL_CA))
    council = CouncilAccess(certificate=shown.certificate, ca=COUNCIL_CA.certificate)
    state.save(MEMBER, certificate=pair.certificate, ca=CA.certificate, council=council)
    return state


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


def test_what_was_saved_is_loaded(member: StateDir) -> None:
    state = StateDir(member.path).load()
    assert state is not None
    assert state.membership == MEMBER
    assert state.identity == Identity(id=state.identity.id, name="demo-1")
    assert state.ca == CA.certificate
    assert pki.is_pair(state.certificate, state.key)
    assert state.council is not None
    assert state.council.ca == COUNCIL_CA.certificate
    assert pki.is_pair(state.council.certificate, state.key), "one key, certified twice"


def test_a_worker_is_kept_without_what_etcd_wants_to_see(member: StateDir) -> None:
    state = member.load()
    assert state is not None
    member.council_certificate_path.unlink()
    member.council_ca_path.unlink()
    member.save(msgspec.structs.replace(MEMBER, whole=False), certificate=state.certificate, ca=state.ca)
    worker = member.load()
    assert worker is not None
    assert worker.council is None


def test_secrets_are_for_the_owner_only(member: StateDir) -> None:
    assert stat.S_IMODE(member.path.stat().st_mode) == 0o700
    for name in ("node.key", "colony.json", "node.json"):
        assert stat.S_IMODE((member.path / name).stat().st_mode) == 0o600


def test_representations_hide_secrets(member: StateDir) -> None:
    state = member.load()
    assert "PRIVATE" not in repr(state)
    assert repr(SECRET) not in repr(state)
    assert "secret" not in repr(MEMBER)


def test_nothing_there_means_not_joined(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "a" / "b")
    state.prepare()
    assert state.load() is None
    assert state.load_identity() is None
    assert state.load_key() is None


def test_the_identity_is_chosen_once(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    first = state.ensure_identity("demo-1", now=NOW)
    assert state.ensure_identity("demo-1", now=NOW + 9) == first
    assert state.ensure_identity("renamed", now=NOW + 9) == Identity(id=first.id, name="renamed")


def test_a_member_is_not_renamed(member: StateDir) -> None:
    with pytest.raises(InvalidInput, match="joined as 'demo-1'"):
        member.ensure_identity("other", now=NOW)


def test_a_join_cut_short_counts_as_not_joined(member: StateDir) -> None:
    member.membership_path.unlink()
    assert member.load() is None
    assert member.ensure_identity("demo-1", now=NOW) == member.load_identity()


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_missing_file_is_named(member: StateDir, name: str) -> None:
    (member.path / name).unlink()
    with pytest.raises(StateCorrupted) as caught:
        member.load()
    text = one_line(caught.value)
    assert f"{member.path / name} is missing" in text
    assert "move the state directory away and join again" in text
    assert caught.value.exit_code == 11


def test_a_member_without_identity_gets_no_new_one(member: StateDir) -> None:
    member.identity_path.unlink()
    with pytest.raises(StateCorrupted, match=r"node\.json is missing"):
        member.ensure_identity("demo-1", now=NOW)
    assert not member.identity_path.exists()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\0" * 300, b"rubbish", b"{}", b"\xff\xfe", b"[1]"])
def test_a_damaged_file_is_named_and_left_alone(member: StateDir, name: str, content: bytes) -> None:
    path = member.path / name
    path.write_bytes(content)
    with pytest.raises(StateCorrupted) as caught:
        member.load()
    assert str(path) in one_line(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_noticed(member: StateDir, name: str) -> None:
    path = member.path / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StateCorrupted, match=name.replace(".", r"\.")):
        member.load()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["node.json", "colony.json"]), st.data())
def test_any_changed_byte_loads_or_is_one_clear_line(member: StateDir, name: str, data: st.DataObject) -> None:
    path = member.path / name
    good = path.read_bytes()
    bad = bytearray(good)
    bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bad)
    try:
        assert member.load() is not None
    except StateCorrupted as error:
        said = one_line(error)
    else:
        said = str(path)
    finally:
        path.write_bytes(good)
    assert str(path) in said


def test_key_and_certificate_of_different_nodes_are_noticed(member: StateDir) -> None:
    member.save_key(pki.make_key())
    with pytest.raises(StateCorrupted, match="no pair"):
        member.load()


def test_an_encrypted_key_does_not_ask_at_the_terminal(member: StateDir) -> None:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    from aware_agent.security.pem import load_key

    private = load_key(member.load_key() or b"")
    secret = BestAvailableEncryption(b"x")
    member.save_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    with pytest.raises(StateCorrupted, match=r"node\.key"):
        member.load()


@pytest.mark.parametrize("field", ["secret", "etcd", "colony"])
def test_an_incomplete_membership_is_noticed(member: StateDir, field: str) -> None:
    document = msgspec.json.decode(member.membership_path.read_bytes())
    document[field] = type(document[field])()
    member.membership_path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(StateCorrupted, match="incomplete"):
        member.load()


@pytest.mark.parametrize("name", ["node.key", "colony.json"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_secret_others_can_read_is_refused_and_not_tightened(member: StateDir, name: str, mode: int) -> None:
    path = member.path / name
    path.chmod(mode)
    with pytest.raises(StateUnusable) as caught:
        member.load()
    assert f"chmod 600 {path}" in one_line(caught.value)
    assert stat.S_IMODE(path.stat().st_mode) == mode, "who tightens silently hides a leak"


def test_an_open_directory_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o755)
    StateDir(path).prepare()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def _fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


@pytest.mark.parametrize("make", [_fifo, _huge, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_of_ours_neither_hangs_nor_eats_memory(member: StateDir, make: Callable[[Path], None]) -> None:
    member.identity_path.unlink()
    make(member.identity_path)
    with pytest.raises(StateCorrupted, match="not a file AWARE wrote"):
        member.load()


def test_a_directory_in_the_place_of_a_file_is_named(member: StateDir) -> None:
    member.key_path.unlink()
    member.key_path.mkdir()
    with pytest.raises(StateUnusable, match=r"node\.key"):
        member.load()


def test_a_path_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StateUnusable) as caught:
        StateDir(tmp_path / "file" / "state").prepare()
    assert "Not a directory" in one_line(caught.value)


def test_two_agents_do_not_share_a_directory(member: StateDir) -> None:
    with member.hold(), pytest.raises(StateUnusable, match="in use by another agent"), StateDir(member.path).hold():
        pytest.fail("held twice")
    with StateDir(member.path).hold():
        pass


class Killed(BaseException):
    """Stands for a kill: nothing between it and the caller may clean up."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(5))
def test_a_kill_while_saving_leaves_the_old_or_no_membership(
    tmp_path: Path, step: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path)
    identity = state.ensure_identity("demo-1", now=NOW)
    state.save_key(pki.make_key())
    key = state.load_key() or b""
    pair, shown = (pki.issue(ca, key, common_name=identity.id, sans=["demo-1"], now=NOW) for ca in (CA, COUNCIL_CA))
    council = CouncilAccess(certificate=shown.certificate, ca=COUNCIL_CA.certificate)
    real, count = os.replace, iter(range(99))

    def replace(source: Path, target: Path) -> None:
        now = next(count) == step
        if now and when == "before":
            raise Killed
        real(source, target)
        if now:
            raise Killed

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Killed):
        state.save(MEMBER, certificate=pair.certificate, ca=CA.certificate, council=council)
    committed = step == 4 and when == "after"
    assert (state.load() is not None) is committed
    monkeypatch.undo()
    state.save(MEMBER, certificate=pair.certificate, ca=CA.certificate, council=council)
    assert state.load() is not None
    assert {path.name for path in tmp_path.iterdir()} == set(FILES), "nothing is left behind"


def test_a_node_that_was_removed_becomes_another_and_the_rest_stay_who_they_are(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.prepare()
    assert state.forget_membership() is False
    identity = state.ensure_identity("demo-1", now=NOW)
    state.save_key(b"key")
    state.membership_path.write_bytes(b"{}")
    assert state.forget_membership() is True
    assert (state.ensure_identity("demo-1", now=NOW), state.load_key()) == (identity, b"key")
    state.mark_removed()
    assert state.forget_membership() is True
    assert state.load_key() is None, "the colony denies the old one"
    assert state.ensure_identity("demo-1", now=NOW).id != identity.id
    assert state.forget_membership() is False


def test_one_that_was_removed_while_it_was_off_is_told_so(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.prepare()
    identity = state.ensure_identity("demo-1", now=NOW)
    state.save_key(b"key")
    config = tmp_path / "agent.toml"
    config.write_text(f'colony = "demo"\nname = "demo-1"\nstate_dir = "{state.path}"\n')
    rejoin = ["rejoin", "--config", str(config), "--removed"]
    assert daemon.main(rejoin) == 0
    assert state.load_key() == b"key", "it is in no colony, so none can have removed it"
    state.membership_path.write_bytes(b"{}")
    assert daemon.main(rejoin) == 0
    assert state.load_key() is None, "the colony denies the old one"
    assert state.ensure_identity("demo-1", now=NOW).id != identity.id
