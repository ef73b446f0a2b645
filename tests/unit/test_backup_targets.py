"""Targets: what is put can be read back, nothing half-done shows, and one line says what is wrong.

The directory is always tested. S3 and Swift are tested against OpenStack's own object store, which speaks both, where
Debian's packages of it are installed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

from aware_agent.agent.settings import BackupSettings
from aware_agent.colony.errors import AwareError
from aware_agent.queen.backup.keeper import program_environment
from aware_agent.queen.backup.targets import Target, TargetFailed, check_stored, open_target
from tests.swift_support import SECRET, USER, Swift

# openstacksdk warns of its own inside.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Support for InfluxDB"),
    pytest.mark.filterwarnings("ignore:The _compute_attributes method"),
]

DATA = os.urandom(3_000_000)
S3_BUCKET, CONTAINER = "aware-s3", "aware-swift"


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    """A store with one bucket and one container."""
    if missing := Swift.missing():
        pytest.skip(missing)
    pytest.importorskip("boto3")
    pytest.importorskip("openstack")
    server = Swift(tmp_path_factory.mktemp("swift"))
    try:
        server.start()
        login = httpx.get(f"{server.url}/auth/v1.0", headers={"X-Auth-User": USER, "X-Auth-Key": SECRET}, timeout=30)
        own = {"X-Auth-Token": login.headers["X-Auth-Token"]}
        for name in (S3_BUCKET, CONTAINER):
            made = httpx.put(f"{login.headers['X-Storage-Url']}/{name}", headers=own, timeout=30)
            assert made.status_code in (201, 202)
        yield server
    finally:
        server.close()


def secret(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def s3_settings(swift: Swift, directory: Path, **changes: str) -> BackupSettings:
    settings = {
        "s3_endpoint": swift.url,
        "s3_bucket": S3_BUCKET,
        "s3_prefix": "colony/a/",
        "s3_access_key_file": secret(directory / "access", USER),
        "s3_secret_key_file": secret(directory / "secret", f"{SECRET}\n"),
    }
    return BackupSettings(**{**settings, **changes})


def swift_settings(swift: Swift, directory: Path, *, password: str = SECRET, **changes: str) -> BackupSettings:
    clouds = f"""clouds:
  tests:
    auth_type: v1password
    auth: {{auth_url: "{swift.url}/auth/v1.0", username: "{USER}", password: "{password}"}}
"""
    settings = {
        "swift_cloud": "tests",
        "swift_clouds_file": secret(directory / "clouds.yaml", clouds),
        "swift_container": CONTAINER,
        "swift_prefix": "colony/a",
    }
    return BackupSettings(**{**settings, **changes})


@pytest.fixture(params=["directory", "s3", "swift"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "directory":
        (tmp_path / "backups").mkdir()
        return open_target("directory", BackupSettings(directory=str(tmp_path / "backups")))
    server: Swift = request.getfixturevalue("swift")
    if request.param == "s3":
        return open_target("s3", s3_settings(server, tmp_path))
    pytest.importorskip("swiftclient")
    return open_target("swift", swift_settings(server, tmp_path))


def test_put_read_list_delete(target: Target, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    assert target.names() == []
    target.put("a.awarebackup", source)
    target.put("b.awarebackup", source)
    assert target.names() == ["a.awarebackup", "b.awarebackup"]
    assert b"".join(target.read("a.awarebackup")) == DATA
    check_stored(target, "a.awarebackup", source)
    source.write_bytes(DATA[:-1])
    with pytest.raises(TargetFailed, match="gives back something else"):
        check_stored(target, "a.awarebackup", source)
    for _ in range(2):  # one that is gone is as good
        target.delete("a.awarebackup")
    assert target.names() == ["b.awarebackup"]
    with pytest.raises(TargetFailed):
        list(target.read("a.awarebackup"))
    target.delete("b.awarebackup")


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(TargetFailed, match="there is no directory"):
        open_target("directory", BackupSettings(directory=str(tmp_path / "mount")))
    assert not (tmp_path / "mount").exists()


@pytest.mark.parametrize(("kind", "field"), [("directory", "directory"), ("s3", "s3_bucket"), ("swift", "swift_cloud")])
def test_what_is_not_set_is_named(kind: str, field: str) -> None:
    with pytest.raises(TargetFailed, match=f"backup.{field} is not set"):
        open_target(kind, BackupSettings())  # type: ignore[arg-type]


def test_a_killed_copy_leaves_nothing_that_looks_like_a_backup(tmp_path: Path) -> None:
    (tmp_path / ".x.awarebackup.tmp").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"somebody else's")
    target = open_target("directory", BackupSettings(directory=str(tmp_path)))
    (tmp_path / "source").write_bytes(b"whole")
    target.put("y.awarebackup", tmp_path / "source")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "source", "y.awarebackup"]
    assert (tmp_path / "y.awarebackup").stat().st_mode & 0o777 == 0o600


def failure(kind: str, settings: BackupSettings, source: Path) -> str:
    with pytest.raises(AwareError) as caught:
        open_target(kind, settings).put("x.awarebackup", source)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    return text


def test_a_proxy_that_is_told_leads_to_s3_and_to_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that makes a backup has the proxy's variables and no others of the kind; S3 is asked through it."""
    pytest.importorskip("boto3")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        given = {"https_proxy": url, "NO_PROXY": "x", "AWS_PROFILE": "mine", "PATH": "/bin"}
        assert program_environment(given) == {"https_proxy": url, "NO_PROXY": "x", "PATH": "/bin"}
        for name, value in {"https_proxy": url, "no_proxy": "", "NO_PROXY": ""}.items():
            monkeypatch.setenv(name, value)
        settings = BackupSettings(
            s3_endpoint="https://s3.nowhere.invalid",
            s3_bucket="b",
            s3_access_key_file=secret(tmp_path / "access", "a"),
            s3_secret_key_file=secret(tmp_path / "secret", "s"),
        )
        target = open_target("s3", settings)
        with ThreadPoolExecutor(max_workers=1) as pool:
            listing = pool.submit(target.names)
            connection, _ = proxy.accept()
            with connection:
                assert connection.recv(1000).startswith(b"CONNECT s3.nowhere.invalid:443 ")
            proxy.close()
            assert isinstance(listing.exception(60), TargetFailed)


def test_s3_says_what_is_wrong(swift: Swift, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    good = s3_settings(swift, tmp_path)
    assert "SignatureDoesNotMatch" in failure(
        "s3", replaced(good, s3_secret_key_file=secret(tmp_path / "w", "no")), source
    )
    assert "NoSuchBucket" in failure("s3", replaced(good, s3_bucket="not-there"), source)
    assert "there is no secret" in failure("s3", replaced(good, s3_access_key_file=str(tmp_path / "none")), source)
    assert "failed" in failure("s3", replaced(good, s3_endpoint="http://127.0.0.1:9"), source)
    open_file = tmp_path / "open"
    open_file.write_text("x")
    open_file.chmod(0o644)
    assert "lets other users read" in failure("s3", replaced(good, s3_secret_key_file=str(open_file)), source)


def test_swift_says_what_is_wrong(swift: Swift, tmp_path: Path) -> None:
    pytest.importorskip("swiftclient")
    source = tmp_path / "source"
    source.write_bytes(DATA)
    good = swift_settings(swift, tmp_path)
    assert "no such container" in failure("swift", replaced(good, swift_container="not-there"), source)
    assert "failed" in failure("swift", replaced(good, swift_cloud="moon"), source)
    assert "cannot read" in failure("swift", replaced(good, swift_clouds_file=str(tmp_path / "none")), source)
    (tmp_path / "wrong").mkdir()
    assert "failed" in failure("swift", swift_settings(swift, tmp_path / "wrong", password="wrong"), source)


def replaced(settings: BackupSettings, **changes: str) -> BackupSettings:
    return msgspec.structs.replace(settings, **changes)
