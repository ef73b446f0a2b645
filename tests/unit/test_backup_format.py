"""The backup file: what went in comes out, and nothing else ever does."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import msgspec
import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.queen.backup.contents import Contents, prologue, unpack, verify
from aware_agent.queen.backup.format import (
    CHUNK,
    MAGIC,
    TAG,
    BackupDamaged,
    Header,
    Writer,
    WrongKey,
    check_sum,
    content,
    draft_header,
    read_header,
)
from aware_agent.queen.backup.passphrase import make_key_file, read_passphrase
from aware_agent.security.files import StateUnusable

KEY = "correct horse battery staple"


def opened(raw: bytes, key: str = KEY) -> bytes:
    file = io.BytesIO(raw)
    header = read_header(file)
    start = file.tell()
    check_sum(file, header)
    file.seek(start)
    return b"".join(content(file, header, key))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "b.awarebackup"


def backup_file(path: Path, data: bytes, key: str = KEY) -> Header:
    with path.open("xb") as file:
        writer = Writer(file, key, draft_header("demo", 1.7e9, term=4, nodes=("a", "b")))
        for start in range(0, len(data), 700_001):
            writer.write(data[start : start + 700_001])
        return writer.finish(revision=9, etcd="3.5.16")


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_round_trip(path: Path, size: int) -> None:
    data = hashlib.shake_128(b"x").digest(size)
    header = backup_file(path, data)
    raw = path.read_bytes()
    assert opened(raw) == data
    assert header.sha256 == hashlib.sha256(raw[raw.index(b"\n", len(MAGIC)) + 1 :]).hexdigest()


def test_the_header_is_for_everybody(path: Path) -> None:
    backup_file(path, b"x")
    first, second, _ = path.read_bytes().split(b"\n", 2)
    assert first == b"AWARE-BACKUP 1"
    document = msgspec.json.decode(second)
    assert (document["colony"], document["revision"], document["term"], document["nodes"]) == ("demo", 9, 4, ["a", "b"])


def test_the_content_is_for_nobody(path: Path) -> None:
    backup_file(path, b"attack at dawn")
    assert b"dawn" not in path.read_bytes()


def test_two_files_of_the_same_content_share_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert backup_file(one, b"x" * 100).salt != backup_file(two, b"x" * 100).salt
    assert one.read_bytes()[-100:] != two.read_bytes()[-100:]


def test_another_key_is_told_from_damage(path: Path) -> None:
    backup_file(path, b"x")
    with pytest.raises(WrongKey, match="does not open"):
        opened(path.read_bytes(), "another key that is long enough")


@pytest.mark.parametrize("what", ["cut", "cut-chunk", "longer", "flipped"])
def test_damage_needs_no_key_to_be_seen(path: Path, what: str) -> None:
    backup_file(path, b"y" * (2 * CHUNK + 10))
    raw = path.read_bytes()
    damaged = {
        "cut": raw[:-1],
        "cut-chunk": raw[: -(10 + TAG)],
        "longer": raw + b"x",
        "flipped": raw[:-50] + bytes([raw[-50] ^ 1]) + raw[-49:],
    }[what]
    file = io.BytesIO(damaged)
    with pytest.raises(BackupDamaged):
        check_sum(file, read_header(file))


@pytest.mark.parametrize("field", ["term", "nodes", "colony", "revision"])
def test_a_forged_header_is_refused(path: Path, field: str) -> None:
    header = backup_file(path, b"x")
    other = {"term": 1, "nodes": ("z",), "colony": "evil", "revision": 1}[field]
    raw = path.read_bytes()
    chunks = raw[raw.index(b"\n", len(MAGIC)) + 1 :]
    forged = MAGIC + msgspec.json.encode(msgspec.structs.replace(header, **{field: other})) + b"\n" + chunks
    with pytest.raises(WrongKey):
        opened(forged)


def test_chunks_cannot_be_dropped_or_moved_even_with_a_matching_checksum(path: Path) -> None:
    """Who can change the file can also write the right checksum, but not the MAC nor the chunks' places."""
    header = backup_file(path, b"y" * (3 * CHUNK))
    raw = path.read_bytes()
    start = raw.index(b"\n", len(MAGIC)) + 1
    step = CHUNK + TAG
    chunks = [raw[at : at + step] for at in range(start, len(raw), step)]
    for order in ([1, 0, 2], [0, 2], [0, 1], [0, 1, 1, 2]):
        file = io.BytesIO(b"".join(chunks[number] for number in order))
        with pytest.raises(BackupDamaged, match="was changed"):
            list(content(file, header, KEY))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not a backup"),
        (b"PK\x03\x04", "not a backup"),
        (b"AWARE-BACKUP 2\n{}", "newer format"),
        (MAGIC + b"{}\n", "header is damaged"),
        (MAGIC + b"\xff\xfe\n", "header is damaged"),
    ],
)
def test_other_files(raw: bytes, says: str) -> None:
    with pytest.raises(BackupDamaged, match=says):
        read_header(io.BytesIO(raw))


def contents() -> Contents:
    return Contents(
        colony="demo", membership=b"m", ca=b"c", ca_pem="p", council_ca=b"d", council_ca_pem="q", spec=b"{}"
    )


def snapshot(size: int = 4096) -> bytes:
    data = hashlib.shake_128(b"s").digest(size)
    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize("piece", [1, 3, 1000, 10**6])
def test_contents_come_apart_again(piece: int) -> None:
    whole = prologue(contents()) + snapshot()
    got = bytearray()
    found = unpack((whole[at : at + piece] for at in range(0, len(whole), piece)), got.extend)
    assert found == contents()
    assert bytes(got) == snapshot()


def test_a_snapshot_that_etcd_did_not_send_like_that_is_refused() -> None:
    broken = bytearray(snapshot())
    broken[100] ^= 1
    with pytest.raises(BackupDamaged, match="integrity hash"):
        unpack(iter([prologue(contents()) + bytes(broken)]), len)
    with pytest.raises(BackupDamaged, match="cut off"):
        unpack(iter([prologue(contents()) + snapshot()[:-7]]), len)


def test_header_and_content_are_of_one_colony(path: Path) -> None:
    backup_file(path, prologue(msgspec.structs.replace(contents(), colony="other")) + snapshot())
    with pytest.raises(BackupDamaged, match="different colonies"):
        verify(path, KEY)


def test_keys(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(read_passphrase(str(file))) > 40
    with pytest.raises(InvalidInput, match="exists already"):
        make_key_file(file)
    file.chmod(0o644)
    with pytest.raises(StateUnusable, match="lets other users read"):
        read_passphrase(str(file))
    with pytest.raises(InvalidInput, match="there is no backup key"):
        read_passphrase(str(tmp_path / "none"))
    short = tmp_path / "short"
    short.touch(mode=0o600)
    short.write_text("too short\n")
    with pytest.raises(InvalidInput, match="less than 20"):
        read_passphrase(str(short))


def test_the_colony_secret_is_no_backup_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text((b"s" * 32).hex())
    with pytest.raises(InvalidInput, match="is the colony secret"):
        read_passphrase(str(file), b"s" * 32)
