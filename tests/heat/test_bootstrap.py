"""The bootstrap script in a directory of its own: what it writes, what it tells Heat, and what it refuses."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aware_agent.agent.settings import load_settings
from aware_agent.security.founding_key import make_founding_key
from tests.heat_support import BOOTSTRAP, Guest, Signals, guest, wheel
from tests.package_index import package_index
from tests.unit.cli_support import Authority, free_port

# Instead of an agent: has joined when it is there, and answers /readyz with the colony's certificate.
STUB = """
import http.server, pathlib, shutil, ssl, sys, tomllib
def main():
    settings = tomllib.loads(pathlib.Path(sys.argv[3]).read_text())
    if "founding_key_file" in settings:
        assert pathlib.Path(settings["founding_key_file"]).read_text().startswith("aware-found1.demo.")
    else:
        assert pathlib.Path(settings["token_file"]).read_text() == "the-token"
    tls = pathlib.Path(TLS)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(STATUS if self.path == "/readyz" else 404)
            self.send_header("content-length", "0")
            self.end_headers()
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            with open(tls / "hooks", "ab") as file:
                file.write(self.path.encode() + b" " + body + b"\\n")
            self.send_response(202)
            answer = b'{"id": "the-hook"}'
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
    server = http.server.ThreadingHTTPServer((settings["address"], settings["gateway"]["port"]), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "pair.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    shutil.copy(tls / "ca.crt", pathlib.Path(settings["state_dir"]) / "ca.crt")
    server.serve_forever()
"""
Make = Callable[..., Guest]


@pytest.fixture
def heat() -> Iterator[Signals]:
    signals = Signals()
    yield signals
    signals.close()


@pytest.fixture
def make(tmp_path: Path, heat: Signals) -> Iterator[Make]:
    """Guests whose agent is the stub; ``status`` is what it says to /readyz."""
    Authority(tmp_path / "tls")
    made = []

    def build(hostname: str = "Node_1.example.org", status: int = 200, **values: str) -> Guest:
        stub = STUB.replace("TLS)", f"{str(tmp_path / 'tls')!r})").replace("STATUS", str(status))
        source = wheel(tmp_path / "wheel", stub, "stub_agent:main")
        known = {"colony": "demo", "token": "the-token", "source": str(source), "wait": "20"}
        context = guest(tmp_path, hostname, {**known, "endpoint": heat.url, "auth": "secret", **values})
        made.append(context)
        new = context.__enter__()
        new.environment |= {"AWARE_GATEWAY_PORT": str(free_port())}
        return new

    yield build
    for context in made:
        context.__exit__(None, None, None)


def _why(heat: Signals) -> str:
    assert [signal["status"] for signal in heat.got] == ["FAILURE"]
    return str(heat.got[0]["reason"])


def test_it_installs_starts_waits_and_signals(make: Make, heat: Signals) -> None:
    server = make(
        seeds="https://192.0.2.1:8443,https://seed-2:8443\n", zone="az-1", hook="/v1/hooks/heat/demo?op=x&sig=y"
    )
    done = server.boot()
    assert done.returncode == 0, done.stdout + done.stderr + server.log
    port = server.environment["AWARE_GATEWAY_PORT"]
    ready = {"status": "SUCCESS", "reason": "node-1 is ready", "id": "node-1", "data": f"https://127.0.0.1:{port}"}
    assert heat.got == [ready]
    assert heat.tokens == ["secret"]
    assert (server.directory / "systemctl.log").read_text() == "daemon-reload\nenable --now aware-agent.service\n"
    assert (
        server.directory.parent / "tls" / "hooks"
    ).read_text() == '/v1/hooks/heat/demo?op=x&sig=y {"reference": "node-1"}\n'
    settings = load_settings(server.file("/etc/aware/agent.toml"), {})
    assert (settings.colony, settings.name, settings.zone) == ("demo", "node-1", "az-1")
    assert settings.discovery.seeds == ("https://192.0.2.1:8443", "https://seed-2:8443")
    assert not server.file("/etc/aware/join-token").exists()
    assert server.file("/etc/aware").stat().st_mode & 0o077 == 0
    unit = server.file("/etc/systemd/system/aware-agent.service").read_text()
    assert f"User={server.environment['AWARE_USER']}\n" in unit
    for secret in ("the-token", "secret", "sig=y"):
        assert secret not in done.stdout + done.stderr + unit


def test_repeating_it_does_no_harm(make: Make, heat: Signals) -> None:
    server = make()
    assert server.boot().returncode == 0
    server.stop()
    assert server.boot().returncode == 0, server.log
    assert [signal["status"] for signal in heat.got] == ["SUCCESS", "SUCCESS"]


def test_an_index_with_a_ca_of_its_own(make: Make, heat: Signals, tmp_path: Path) -> None:
    make()  # leaves the wheel
    with package_index(tmp_path / "wheel", "127.0.0.1", free_port(), tmp_path, "localhost") as (index, ca):
        given = {"source": "aware-agent==9.0.0", "index": index}
        trusting, other = make("trusting", ca=ca, **given), make("other", **given)
        done = trusting.boot()
        assert done.returncode == 0, done.stdout + done.stderr
        refused = other.boot()
        assert refused.returncode == 1
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    assert [signal["reason"] for signal in heat.got] == ["trusting is ready", "pip could not install the agent"]


def test_without_heat_it_signals_nobody(make: Make, heat: Signals) -> None:
    server = make()
    for name in ("endpoint", "auth"):
        (server.inputs / name).unlink()
    assert server.boot().returncode == 0
    assert heat.got == []


def test_a_refused_signal_does_not_undo_a_good_node(make: Make, heat: Signals) -> None:
    heat.status = 401  # as after the token has expired, for a server that came by scaling
    done = make().boot()
    assert done.returncode == 0
    assert "Heat was not told" in done.stdout
    assert len(heat.got) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"colony": ""}, "parameter colony is missing or malformed"),
        ({"colony": 'demo"\nx = "'}, "parameter colony"),
        ({"colony": "demo$(touch pwned)"}, "parameter colony"),
        ({"seeds": 'https://a"]\nx=1'}, "parameter seeds"),
        ({"seeds": "http://a"}, "parameter seeds"),
        ({"zone": "a b"}, "parameter zone"),
        ({"token": ""}, "parameter token is missing"),
        ({"source": ""}, "parameter source"),
        ({"source": "--index-url=http://evil x"}, "parameter source"),
        ({"source": "/nowhere/aware_agent-1-py3-none-any.whl"}, "pip could not install"),
    ],
)
def test_bad_values_are_refused_and_heat_is_told(make: Make, heat: Signals, values: dict[str, str], said: str) -> None:
    server = make(**values)
    done = server.boot()
    assert done.returncode == 1
    assert said in _why(heat)
    assert said in done.stdout
    assert not (server.directory / "systemctl.log").exists()


def test_a_node_that_never_gets_ready_is_a_failure(make: Make, heat: Signals) -> None:
    server = make(status=503, wait="2")
    done = server.boot()
    assert done.returncode == 1
    assert "node-1 was not ready after 2 s" in _why(heat)
    assert "503" in done.stderr


def test_another_colonys_certificate_is_not_ready(make: Make, heat: Signals, tmp_path: Path) -> None:
    server = make(wait="2")
    Authority(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "pair.pem", tmp_path / "tls" / "pair.pem")
    assert server.boot().returncode == 1
    assert "not ready" in _why(heat)


def test_a_broken_systemd_is_a_failure(make: Make, heat: Signals) -> None:
    server = make()
    (server.directory / "systemd-is-broken").touch()
    assert server.boot().returncode == 1
    assert "systemd could not start" in _why(heat)


def test_the_playbook_of_the_software_config_does_the_same(make: Make, heat: Signals, tmp_path: Path) -> None:
    """Run as Heat's hook for group ansible does: on localhost, the inputs as variables."""
    server = make()
    inputs = {
        "ansible_python_interpreter": sys.executable,
        "aware_colony": "demo",
        "aware_join_token": "the-token",
        "aware_seeds": "",
        "aware_source": (server.inputs / "source").read_text(),
        "aware_bootstrap": BOOTSTRAP.read_text(),
    }
    # Only here: in place of /run, and with the sandbox's systemd.
    sandbox = {"aware_directory": str(tmp_path / "run"), "aware_environment": server.environment}
    variables = tmp_path / "vars.json"
    variables.write_text(json.dumps({**inputs, **sandbox}))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-e", f"@{variables}"]
    done = subprocess.run(
        [*argv, str(BOOTSTRAP.with_name("join.yml"))],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + server.log
    assert load_settings(server.file("/etc/aware/agent.toml"), {}).name == "node-1"
    assert "the-token" not in done.stdout
    assert heat.got == []  # a deployment has its own signal


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("demo-abc-1", "demo-abc-1"), ("9lives", "n-9lives"), ("A.B", "a"), ("x" * 80, "x" * 63), ("ü_-", "n")],
)
def test_any_host_name_becomes_a_node_name(tmp_path: Path, hostname: str, name: str) -> None:
    script = BOOTSTRAP.read_text()
    function = script[script.index("node_name() {") : script.index("own_address() {")]
    done = subprocess.run(
        ["sh", "-c", f'hostname() {{ echo "$1$HOST"; }}\n{function}\nnode_name'],
        env={"HOST": hostname, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().startswith(name)
    assert tomllib.loads(f'n = "{done.stdout.strip()}"')["n"].strip("-")[0].isalpha()


def test_it_is_a_clean_shell_script() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([program, str(BOOTSTRAP)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.fixture
def release(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a release of etcd is served, and its sha256."""
    archive = tmp_path / "release" / "etcd.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("etcd-v3/README.md", "etcd-v3/etcd", "etcd-v3/etcdctl"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        yield f"http://127.0.0.1:{server.server_address[1]}/etcd.tar.gz", digest
        server.shutdown()
        thread.join()


def founding() -> dict[str, str]:
    return {"founding": make_founding_key("demo", os.urandom(32)).text(), "council": "3"}


def test_a_founder_fetches_the_release_of_etcd_it_is_told(make: Make, release: tuple[str, str]) -> None:
    server = make(**founding(), etcd="#sha256=".join(release))
    done = server.boot()
    assert done.returncode == 0, done.stdout + done.stderr + server.log
    etcd = server.file("/usr/local/bin/etcd")
    assert etcd.read_text() == "etcd-v3/etcd"
    assert etcd.stat().st_mode & 0o777 == 0o755
    settings = tomllib.loads(server.file("/etc/aware/agent.toml").read_text())
    assert settings["council"]["size"] == 3
    assert server.file("/var/lib/aware/founding.key").stat().st_mode & 0o077 == 0


def test_a_release_that_is_not_what_its_sha256_says_is_not_installed(
    make: Make, heat: Signals, release: tuple[str, str]
) -> None:
    server = make(**founding(), etcd=f"{release[0]}#sha256={'0' * 64}")
    assert server.boot().returncode == 1
    assert "not what its sha256 says" in _why(heat)
    assert not server.file("/usr/local/bin/etcd").exists()


def test_the_distributions_etcd_is_installed_and_does_not_start_by_itself(make: Make) -> None:
    server = make(**founding())
    apt = server.directory / "bin" / "apt-get"
    apt.write_text('#!/bin/sh\necho "apt-get $*" >>"$SANDBOX/systemctl.log"\n')
    apt.chmod(0o700)
    done = server.boot()
    assert done.returncode == 0, done.stdout + done.stderr + server.log
    did = (server.directory / "systemctl.log").read_text().splitlines()
    assert did[:3] == ["mask etcd.service", "apt-get -q update", "apt-get -qy install etcd-server"]


@pytest.mark.parametrize(
    "wrong", [{"founding": "aware-found1.demo.x.y"}, {"council": "2"}, {"etcd": "https://h/etcd.tar.gz"}]
)
def test_values_of_a_founder_that_mean_nothing_are_refused(make: Make, heat: Signals, wrong: dict[str, str]) -> None:
    server = make(**{**founding(), **wrong})
    assert server.boot().returncode == 1
    (name,) = wrong
    assert _why(heat) == f"parameter {name} is missing or malformed"
