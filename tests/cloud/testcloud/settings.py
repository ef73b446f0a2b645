"""What the test cloud is made of: read from the environment once, then kept beside its data."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

DEFAULT_DIRECTORY = "/var/tmp/aware-cloud"
MARK = ".aware-test-cloud"
HERE = Path(__file__).resolve().parent.parent


class CloudError(Exception):
    """One sentence for the person at the terminal."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One cloud. ``directory`` holds all of it; two clouds with different directories do not see each other."""

    directory: Path
    fake: int  # hosts with the fake driver
    real: bool  # one host with libvirt and qemu, with bridge and DHCP agents
    soft_delete: bool = False  # Nova keeps deleted servers for a day
    password: str
    encryption_key: str
    hostname: str = "aware-cloud"
    ip: str = "10.231.0.2"
    network: str = "10.232.0.0/24"
    gateway: str = "10.232.0.1"
    pool: tuple[str, str] = ("10.232.0.50", "10.232.0.250")
    flat_outer: str = "pub0"
    flat_inner: str = "pub1"

    @property
    def etc(self) -> Path:
        """Configuration files."""
        return self.directory / "etc"

    @property
    def log(self) -> Path:
        """One file or two a service."""
        return self.directory / "log"

    @property
    def state(self) -> Path:
        """Images, disks, keys of services."""
        return self.directory / "state"

    @property
    def run(self) -> Path:
        """Who runs under which process id, and which steps are done."""
        return self.directory / "run"

    @property
    def clouds(self) -> Path:
        """``clouds.yaml`` with the clouds aware-test (member) and aware-test-admin."""
        return self.directory / "clouds.yaml"

    @property
    def images(self) -> Path:
        """The guest image for REAL=1: dear to build, so it outlives the cloud."""
        return Path(os.environ.get("AWARE_CLOUD_IMAGES") or f"{self.directory}-images")

    def as_json(self) -> str:
        """The settings for another process."""
        return json.dumps({**dataclasses.asdict(self), "directory": str(self.directory)})


def directory() -> Path:
    """AWARE_CLOUD_DIR or the default, absolute. Raises CloudError for what could never be one."""
    path = Path(os.environ.get("AWARE_CLOUD_DIR") or DEFAULT_DIRECTORY)
    if not path.is_absolute() or len(path.parts) < 3 or any(character.isspace() for character in str(path)):
        raise CloudError(f"AWARE_CLOUD_DIR={path} must be an absolute path below some directory, without blanks")
    if len(str(path)) > 60:
        raise CloudError(f"AWARE_CLOUD_DIR={path} is too long: sockets in it would exceed the kernel's 107 characters")
    return Path(os.path.realpath(path))


def load(path: Path) -> Settings:
    """The settings of the cloud in ``path``. Raises CloudError when there is none."""
    try:
        stored = json.loads((path / MARK).read_text())
    except FileNotFoundError:
        raise CloudError(f"no test cloud in {path}: make cloud-up") from None
    except ValueError:
        raise CloudError(f"{path / MARK} is damaged: make cloud-down, then make cloud-up") from None
    names = {field.name for field in dataclasses.fields(Settings)}
    kept = {name: value for name, value in stored.items() if name in names}
    return Settings(**{**kept, "directory": path, "pool": tuple(kept["pool"])})


def number(name: str, default: int, limit: int) -> int:
    """An environment variable as a number between 0 and ``limit``."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) <= limit):
        raise CloudError(f"{name}={text} is not a number from 0 to {limit}")
    return int(text)


def claim(path: Path) -> Settings:
    """Make the directory ours, or take up what is there; the environment's REAL, FAKE and SOFT_DELETE win over it.

    Raises CloudError when the directory has other contents.
    """
    fresh = not (path / MARK).exists()
    if fresh and path.exists() and any(entry.name != "lock" for entry in path.iterdir()):
        raise CloudError(f"{path} exists and is no test cloud of ours; nothing was touched (AWARE_CLOUD_DIR chooses)")
    if fresh:
        settings = Settings(
            directory=path, fake=-1, real=False, password=secrets.token_hex(12), encryption_key=secrets.token_hex(16)
        )
    else:
        settings = load(path)
    real = bool(number("REAL", int(settings.real), 1))
    fake = number("FAKE", (0 if real else 6) if settings.fake < 0 else settings.fake, 100)
    if not (real or fake):
        raise CloudError("FAKE=0 without REAL=1 is a cloud without computes")
    soft_delete = bool(number("SOFT_DELETE", int(settings.soft_delete), 1))
    settings = dataclasses.replace(settings, real=real, fake=fake, soft_delete=soft_delete)
    keep(settings)
    return settings


def keep(settings: Settings) -> None:
    """Store the settings (with the password: readable by root only), whole or not at all."""
    # Searchable by others: dnsmasq, which gives up root, reads its leases in here.
    settings.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    settings.directory.chmod(0o711)
    draft = settings.directory / f"{MARK}.new"
    draft.touch(mode=0o600)
    draft.write_text(settings.as_json())
    draft.replace(settings.directory / MARK)
