"""The members remembered from last time are a cache: useful when whole, harmless when not."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.discovery.remembered import MOST, load_remembered, save_remembered


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    assert load_remembered(path) == ()
    assert save_remembered(path, ["https://127.0.0.1:1", "https://127.0.0.1:2", "https://127.0.0.1:1"])
    assert load_remembered(path) == ("https://127.0.0.1:1", "https://127.0.0.1:2")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_again_does_not_touch_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    save_remembered(path, ["https://127.0.0.1:1"])
    before = path.stat().st_ino
    assert not save_remembered(path, ["https://127.0.0.1:1"])
    assert path.stat().st_ino == before


def test_it_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    save_remembered(path, (f"https://127.0.0.1:{port}" for port in range(1, 1000)))
    assert len(load_remembered(path)) == MOST


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"urls": 3}',
        b'{"urls": ["https://127.0.0.1:1"',
        b"\xff\xfe",
        b"\0" * 100_000,
        b'{"urls": [null]}',
    ],
)
def test_a_damaged_file_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(content)
    assert load_remembered(path) == ()


def test_a_directory_counts_as_nothing(tmp_path: Path) -> None:
    assert load_remembered(tmp_path) == ()


def test_unsound_addresses_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(b'{"urls": ["http://x:1", "https://127.0.0.1:1", "file:///etc/passwd", "https://x:99999"]}')
    assert load_remembered(path) == ("https://127.0.0.1:1",)
