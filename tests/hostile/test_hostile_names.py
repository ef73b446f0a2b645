"""Attack 2: a worker answers in the place of the queen, to collect tokens, passwords and join tokens."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path

import pytest

from aware_agent.agent.join_client import JoinClient, NotNow
from aware_agent.agent.state import StateDir
from aware_agent.cli.client import Gateway
from aware_agent.cli.context import load_context
from aware_agent.cli.errors import Unreachable
from aware_agent.security import pki
from aware_agent.security.joining import CaPinMismatch
from bench.lab import Lab
from tests.hostile.reign_support import Newcomer
from tests.unit.security_support import Reply, tls_server

pytestmark = [pytest.mark.etcd, pytest.mark.e2e]


class Impostor:
    """Says yes to everything, as the node whose certificate it has, and keeps what it is shown."""

    def __init__(self, ca: bytes) -> None:
        self.ca, self.url = ca, ""
        self.shown: list[tuple[str, str, bytes]] = []

    def __call__(self, method: str, path: str, body: bytes) -> Reply:
        self.shown.append((method, path, body))
        if path == "/v1/ca":
            return Reply(200, self.ca)
        if path == "/v1/council":
            return Reply(200, json.dumps({"colony": "lab", "queen": self.url, "members": [self.url]}).encode())
        return Reply(200, b'{"ready": true}')


def names(certificate: bytes) -> set[str]:
    return {name for name in pki.facts(certificate).sans if name.endswith(".aware")}


async def test_a_worker_cannot_pose_as_the_council(tmp_path: Path) -> None:
    async with Lab(2) as lab:
        lab.agent("lab-1").start()
        await lab.queen()
        lab.agent("lab-2").write_settings(token_file=str(await lab.make_token()))
        lab.agent("lab-2").start()
        await lab.wait_ready(2)
        await lab.ask("GET", "/v1/cluster")
        context = lab.write_context(tmp_path)
        (tmp_path / "token").write_text("t0ken-of-ada")
        queen, worker = (StateDir(lab.agent(name).state_dir).load() for name in ("lab-1", "lab-2"))
        assert queen is not None
        assert worker is not None
        assert names(queen.certificate) == {"lab-1.node.lab.aware", "council.lab.aware"}
        assert names(worker.certificate) == {"lab-2.node.lab.aware"}

        await clients_find_the_queen_from_the_worker_alone(lab, context)
        impostor = Impostor(lab.material.ca.certificate)
        with tls_server(pki.Pair(worker.certificate, worker.key), impostor) as impostor.url:
            document = {**json.loads(context.read_text()), "endpoints": [impostor.url]}
            context.write_text(json.dumps(document))
            password = {"username": "ada", "password": "correct horse"}
            with Gateway(load_context(context), deadline_s=1.0) as client:
                with pytest.raises(Unreachable, match="it is a worker"):
                    client.get("/v1/inventory")
                with pytest.raises(Unreachable, match="it is a worker"):
                    client.request("POST", "/v1/auth/token", body=password, authenticate=False)
            newcomer = Newcomer("lab", "lab-3")
            join_client = JoinClient(newcomer.request(lab.material.token), lab.material.token, newcomer.key, time.time)
            with pytest.raises((CaPinMismatch, NotNow)):
                join_client.join_at(impostor.url, 5.0)
            with pytest.raises(ssl.SSLCertVerificationError):
                check_of_a_load_balancer(lab.ca_file, impostor.url)
        assert {(method, path) for method, path, _ in impostor.shown} == {("GET", "/v1/ca"), ("GET", "/v1/council")}


async def clients_find_the_queen_from_the_worker_alone(lab: Lab, context: Path) -> None:
    """The worker's own agent answers here: it names the council, and clients go there."""
    document = json.loads(context.read_text())
    token = (await lab.admin()).token
    (context.parent / "token").write_text(token)
    context.write_text(json.dumps({**document, "endpoints": [lab.agent("lab-2").url]}))
    with Gateway(load_context(context)) as client:
        assert client.get("/v1/queen").data["name"] == "lab-1"
    (context.parent / "token").write_text("t0ken-of-ada")
    context.with_name("context.members.json").unlink(missing_ok=True)


def check_of_a_load_balancer(ca: Path, url: str) -> None:
    """What HAProxy's ``verify required verifyhost council.<colony>.aware`` asks of who answers its check."""
    import socket
    from urllib.parse import urlsplit

    trust = ssl.create_default_context(cafile=ca)
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), 5) as raw:
        trust.wrap_socket(raw, server_hostname="council.lab.aware")
