"""``aware etcd``: run etcd on this machine, for demos, tests and small colonies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aware_agent.cli.options import JsonOption, integer
from aware_agent.cli.output import print_fields, print_json, warn
from aware_agent.colony.errors import AwareError, InvalidInput

if TYPE_CHECKING:
    from aware_agent.store.etcd_binary import TlsFiles

app = typer.Typer(help="Find and run etcd on this machine.", no_args_is_help=True)


@app.command("find")
def find(as_json: JsonOption = False) -> None:
    """Show which etcd would be run, and what is known of its version."""
    from aware_agent.store.etcd_binary import find_etcd
    from aware_agent.store.version import gate

    binary = find_etcd()
    warnings = gate(binary.version, production=False)
    if as_json:
        print_json({"path": str(binary.path), "version": binary.version, "source": binary.source, "warnings": warnings})
        return
    print_fields((("path", binary.path), ("version", binary.version), ("source", binary.source)))
    for warning in warnings:
        warn(f"warning: {warning}")


@app.command("run")
def run(
    data_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where etcd keeps its data.")],
    client_port: Annotated[
        int, typer.Option(parser=integer(1, 65535), metavar="PORT", help="Port for clients, on 127.0.0.1 only.")
    ],
    peer_port: Annotated[
        int, typer.Option(parser=integer(1, 65535), metavar="PORT", help="Port for members, on 127.0.0.1 only.")
    ],
    tls_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory made by: aware colony material. Default: no TLS.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the member.")] = "etcd",
) -> None:
    """Become etcd: one member on localhost, replacing this process."""
    from aware_agent.security.files import make_directory
    from aware_agent.store.etcd_binary import etcd_argv, find_etcd
    from aware_agent.store.version import gate

    if client_port == peer_port:
        raise InvalidInput(f"client port and peer port are both {client_port}", field="peer-port")
    binary = find_etcd()
    for warning in gate(binary.version, production=False):
        warn(f"warning: {warning}")
    tls = _tls(tls_dir)
    make_directory(data_dir)
    argv = etcd_argv(binary, data_dir, client_port, peer_port, tls=tls, name=name)
    try:
        os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        raise AwareError(f"cannot run {argv[0]}: {error.strerror}", hint="set AWARE_ETCD to an etcd binary") from error


def _tls(directory: Path | None) -> TlsFiles | None:
    if directory is None:
        return None
    from aware_agent.store.etcd_binary import TlsFiles

    files = {"ca": directory / "council-ca.crt", "cert": directory / "etcd.crt", "key": directory / "etcd.key"}
    for path in files.values():
        if not path.is_file():
            raise InvalidInput(f"{path} is missing", field="tls-dir", hint="aware colony material makes it")
    return TlsFiles(**files)
