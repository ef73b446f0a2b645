"""``aware doctor`` at a real colony: what is fine, what is broken, and an archive without any secret of the colony."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aware_agent.agent.member.gateway_pairs import GatewayPairs
from aware_agent.agent.state import StateDir
from aware_agent.security.jwt import token_key
from aware_agent.security.records import CaRecord
from aware_agent.security.sealed import colony_sealer
from aware_agent.security.token import parse_token
from aware_agent.store.keys import Keys
from bench.council_lab import CouncilLab
from bench.lab import Lab
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e

UNWELL = 27
PEM = re.compile(r"-----BEGIN (?:EC )?PRIVATE KEY-----.+?-----END (?:EC )?PRIVATE KEY-----", re.DOTALL)


async def aware(*argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, without this process' event loop being held up."""
    command = [sys.executable, "-m", "aware_agent.cli", *argv]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=300, cwd=cwd, env={**kept, **environment}
    )


def findings(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], list[dict[str, str]]]:
    """What was found, by scope and check."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for one in json.loads(done.stdout)["findings"]:
        found.setdefault((one["scope"], one["check"]), []).append(one)
    return found


def context_of(lab: Lab, directory: Path) -> Path:
    """A context of a user's own, nobody logged in."""
    directory.mkdir(mode=0o700)
    path = directory / "context.json"
    ca = next(iter(lab.agents.values())).state_dir / "ca.crt"
    endpoints = [agent.url for agent in lab.agents.values()]
    document = {"colony": lab.colony, "endpoints": endpoints, "ca_file": str(ca), "token_file": "token"}
    path.write_text(json.dumps(document))
    return path


async def login(lab: Lab, context: Path) -> None:
    password = context.parent / "password"
    password.touch(mode=0o600)
    password.write_text(lab.admin_password)
    done = await aware("login", "--password-file", str(password), "--context", str(context), cwd=context.parent)
    assert done.returncode == 0, done.stderr


# What is secret -------------------------------------------------------------------------------------------------


def key_material(pem: str) -> Iterator[bytes]:
    """A private key as it may be written: its lines, its DER, the number it is."""
    yield from (line.encode() for line in pem.splitlines() if len(line) > 20 and "-----" not in line)
    body = "".join(line for line in pem.splitlines() if "-----" not in line)
    yield base64.b64decode(body)
    private: Any = load_pem_private_key(pem.encode(), None)
    number = private.private_numbers().private_value
    yield number.to_bytes(32, "big")
    yield str(number).encode()


async def secrets_of(lab: CouncilLab, context: Path) -> dict[str, bytes]:
    """Every secret there is: made by users, kept by nodes, sealed in etcd, derived."""
    plain: dict[str, str] = {"first password": lab.admin_password}
    plain["password of a user"] = secrets.token_urlsafe(18)
    assert (await lab.ask("PUT", "/v1/users/vera", {"role": "viewer", "password": plain["password of a user"]})).ok
    plain["secret of an identity provider"] = secrets.token_urlsafe(24)
    provider = {
        "kind": "oidc",
        "issuer": "https://id.example.org",
        "client_id": "aware",
        "client_secret": plain["secret of an identity provider"],
        "public_url": "https://aware.example.org",
        "rules": [{"claim": "groups", "values": ["ops"], "role": "viewer"}],
    }
    answer = await lab.ask("PUT", "/v1/identity-providers/corp", provider)
    assert answer.ok, answer.body
    plain["variable of a node"] = secrets.token_urlsafe(18)
    name = f"{lab.colony}-2"
    answer = await lab.ask("PUT", f"/v1/nodes/{name}/config", {"config": {"vars": {"db": plain["variable of a node"]}}})
    assert answer.ok, answer.body
    join = (await lab.ask("POST", "/v1/tokens", {})).json()["token"]
    plain |= {"join token": join, "secret of a join token": parse_token(join).secret}
    assert (await lab.ask("POST", "/v1/service-accounts", {"name": "deploy", "role": "viewer"})).ok
    made = await lab.ask("POST", "/v1/service-accounts/deploy/tokens", {"ttl_s": 3600})
    plain["token of a service account"] = made.json()["token"]
    await login(lab, context)
    for kind in ("token", "token.refresh"):
        plain[f"{kind} of a user"] = (context.parent / kind).read_text().strip()
    plain["founding key"] = (lab.directory / "founding.key").read_text().strip()
    found = {what: text.encode() for what, text in plain.items()}
    found["bytes of a join token"] = parse_token(join).secret_bytes
    for agent in lab.agents.values():
        found |= node_secrets(agent.name, agent.state_dir)
    return {**found, **await sealed_secrets(lab)}


def node_secrets(name: str, state_dir: Path) -> dict[str, bytes]:
    """What one node keeps."""
    state = StateDir(state_dir).load()
    assert state is not None
    ring = state.membership.keyring()
    found = {f"colony secret {number} at {name}": given for number, given in ring.given.items()}
    found |= {f"beacon key {number} at {name}": key for number, key in ring.beacon_keys().items()}
    found |= {f"token key {number}": token_key("lab", given) for number, given in ring.given.items()}
    pairs = msgspec.msgpack.decode((state_dir / "gateway.keys").read_bytes(), type=GatewayPairs)
    pems = {"node key": state.key, "gateway key": pairs.tls_key, "etcd key of the gateway": pairs.etcd_key}
    if (state_dir / "etcd" / "etcd.key").exists():
        pems["etcd key"] = (state_dir / "etcd" / "etcd.key").read_bytes()
    for what, pem in pems.items():
        found |= {f"{what} of {name} ({n})": part for n, part in enumerate(key_material(pem.decode()))}
    return found


async def sealed_secrets(lab: CouncilLab) -> dict[str, bytes]:
    """The CAs' keys, opened with the colony secret."""
    state = StateDir(lab.agent(f"{lab.colony}-1").state_dir).load()
    assert state is not None
    ring = state.membership.keyring()
    sealer, keys, found = colony_sealer(*ring.secrets), Keys(lab.colony), {}
    async with lab.member_client(f"{lab.colony}-1", list(lab.agents)) as client:
        for name in ("ca", "council-ca"):
            stored = await client.get(keys.key(name))
            assert stored is not None
            pem = sealer.open(msgspec.json.decode(stored.value, type=CaRecord).key, stored.key).decode()
            found |= {f"key of {name} ({n})": part for n, part in enumerate(key_material(pem))}
    return found


def holds(text: str, secret: bytes) -> bool:
    """Whether ``secret`` is in ``text``: plainly, or in any run of it that base64 or hexadecimal may be."""
    if secret in text.encode(errors="replace") or (secret.isascii() and secret.decode() in text):
        return True
    for run in re.findall(r"[A-Za-z0-9+/_-]{12,}", text):
        plain = run.replace("-", "+").replace("_", "/")
        for begin in range(4):
            part = plain[begin:]
            if secret in base64.b64decode(part[: len(part) // 4 * 4] + "AAA="):
                return True
    for run in re.findall(r"[0-9a-fA-F]{16,}", text):
        for begin in range(2):
            part = run[begin:]
            if secret in bytes.fromhex(part[: len(part) // 2 * 2]):
                return True
    return False


def unpacked(archive: Path) -> dict[str, str]:
    """Names without the directory, and content."""
    with tarfile.open(archive) as opened:
        found = {}
        for member in opened.getmembers():
            content = opened.extractfile(member)
            assert content is not None
            found[member.name.partition("/")[2]] = content.read().decode()
        return found


@pytest.mark.parametrize("secret", [b"pl\xffin", b"0123456789abcdef", b"\x00" * 5 + b"key" + b"\xff" * 9])
def test_the_search_for_secrets_finds_them(secret: bytes) -> None:
    for before in (b"", b"a", b"ab"):
        whole = before + secret + b"tail"
        for text in (base64.b64encode(whole), base64.urlsafe_b64encode(whole), whole.hex().encode()):
            assert holds(f"x {text.decode()} y", secret)
    assert not holds("nothing of the kind 0123456789 QUJDREVGR0hJSktMTU5PUA==", b"other than that")


async def another_program(address: str, port: int) -> socket.socket:
    """Listens where an agent wants to, as soon as its gateway, which was killed, is gone."""
    async with asyncio.timeout(60):
        while True:
            try:
                return socket.create_server((address, port))
            except OSError:
                await asyncio.sleep(0.1)


# The tests ------------------------------------------------------------------------------------------------------


async def test_a_colony_that_is_well_and_its_archive_without_secrets(tmp_path: Path) -> None:
    async with CouncilLab(3, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        context = context_of(lab, tmp_path / "mine")
        secret = await secrets_of(lab, context)
        agent = lab.agent("lab-1")
        slip = f"a library logs {secret['token of a user'].decode()} and {secret['colony secret 1 at lab-1'].hex()}\n"
        with (agent.directory / "agent.log").open("a") as log:
            log.write(slip)
        archive = tmp_path / "support.tgz"
        options = ("--config", str(agent.config), "--ask-nodes", "--bundle", str(archive), "--context", str(context))
        done = await aware("doctor", "--json", *options, cwd=tmp_path)
        found = findings(done)
        bad = [one for many in found.values() for one in many if one["level"] == "error"]
        assert (bad, done.returncode) == ([], 0), done.stderr
        quiet = [("colony", "gateway"), ("colony", "council"), ("colony", "hosts"), ("colony", "certificates")]
        quiet += [("node", "agent"), ("node", "ports"), ("node", "certificates"), ("node", "state")]
        quiet += [("controller", "token"), ("controller", "ports"), ("controller", "authorities")]
        for place in quiet:
            assert {one["level"] for one in found[place]} == {"ok"}, found[place]
        assert "reads that a majority confirmed" in found["node", "etcd"][-1]["message"]
        assert "synced writes" in found["node", "disk-latency"][0]["message"]

        assert archive.stat().st_mode & 0o777 == 0o600
        parts = unpacked(archive)
        whole = {"README.txt", "report.json", "host/agent.log", "host/etcd.log", "host/agent.json", "colony/nodes.json"}
        whole |= {"colony/events.json", "members/lab-2/election.json", "members/lab-3/metrics.txt", "nodes/lab-3.json"}
        assert whole <= set(parts)
        for name, text in parts.items():
            if name.endswith(".json"):
                assert json.loads(text), name
        assert "a library logs [removed] and [removed]" in parts["host/agent.log"]
        assert '"db"' in parts["colony/nodes.json"], "names of variables are told, values are not"
        assert len(secret) > 60
        everything = "\n".join([*parts, *parts.values()])
        leaks = {
            what: [part for part in parts if holds(parts[part], one)]
            for what, one in secret.items()
            if holds(everything, one)
        }
        assert leaks == {}
        assert lab.agent("lab-2").url in parts["colony/nodes.json"], "what is no secret is told"

        again = await aware("doctor", *options, cwd=tmp_path)
        assert again.returncode == 5
        assert "is there already and was left alone" in again.stderr


async def test_what_is_broken_is_found_and_says_what_to_do(tmp_path: Path) -> None:
    async with Lab(2, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        context = context_of(lab, tmp_path / "mine")
        stranger = findings(await aware("doctor", "--json", "--context", str(context), cwd=tmp_path))
        assert stranger["controller", "token"][0]["level"] == "skipped"
        assert stranger["controller", "ports"][0]["level"] == "ok"
        (gateway,) = stranger["colony", "gateway"]
        assert (gateway["level"], "aware login" in gateway["to_do"]) == ("error", True)
        assert {one["level"] for one in stranger["colony", "versions"]} == {"skipped"}

        await login(lab, context)
        (context.parent / "token").chmod(0o644)
        agent = lab.agent("lab-2")
        agent.kill_tree()
        with await another_program(agent.settings["address"], agent.settings["gateway"]["port"]):
            proxy = {"https_proxy": "http://u:hunter22@proxy:3128"}
            options = ("--config", str(agent.config), "--context", str(context))
            done = await aware("doctor", "--json", *options, cwd=tmp_path, **proxy)
        assert done.returncode == UNWELL, done.stderr
        assert "each says what to do" in done.stderr
        assert "hunter22" not in done.stdout + done.stderr
        found = findings(done)
        assert "other users" in found["controller", "token"][0]["message"]
        assert "127.0.0.1" in found["controller", "proxies"][0]["message"]
        assert "no agent runs" in found["node", "agent"][0]["message"]
        assert "belongs to another program" in found["node", "ports"][0]["message"]
        for many in found.values():
            for one in many:
                assert one["to_do"] or one["level"] in ("ok", "skipped"), one
        shown = await aware("doctor", "controller", "--context", str(context), cwd=tmp_path)
        assert shown.returncode == UNWELL
        assert "-> chmod 600" in shown.stdout


async def test_without_a_colony_it_says_so_and_ends_soon(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "AWARE_CONTEXT": "", "XDG_CONFIG_HOME": ""}
    done = await aware("doctor", "controller", "--json", cwd=tmp_path, **environment)
    assert done.returncode == UNWELL
    found = findings(done)
    assert found["controller", "context"][0]["message"] == "no context file found"
    assert found["controller", "umask"][0]["level"] in ("ok", "warn")
    missing = tmp_path / "agent.toml"
    node = await aware("doctor", "node", "--config", str(missing), "--json", cwd=tmp_path, **environment)
    assert node.returncode == UNWELL
    levels = {check: {one["level"] for one in many} for (_, check), many in findings(node).items()}
    assert levels["settings"] == {"error"}
    assert levels["state"] == levels["broadcast"] == {"skipped"}
