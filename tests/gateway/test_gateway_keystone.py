"""Tokens of a real Keystone, in a process of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from aware_agent.gateway.app import GatewayApp
from aware_agent.ports import free_port
from aware_agent.security.records import UserRecord
from tests.gateway.memory import MemoryContext

PASSWORD = "hush hush"
RULES = [
    {"role": "admin", "claim": "grants", "values": ["admin@Default/admin"]},
    {"role": "viewer", "claim": "grants", "values": ["member@Default/shop"]},
]
CONFIG = """
[DEFAULT]
log_file = {directory}/keystone.log
[database]
connection = sqlite:///{directory}/keystone.db
[fernet_tokens]
key_repository = {directory}/fernet
[fernet_receipts]
key_repository = {directory}/fernet
"""


class Keystone:
    """The process, with a project ``shop`` in which ``olga`` is member and ``nils`` is reader."""

    def __init__(self, directory: Path) -> None:
        manage, serve = shutil.which("keystone-manage"), shutil.which("keystone-wsgi-public")
        if not manage or not serve:
            pytest.skip("Keystone is not installed: apt install keystone")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/v3"
        config = directory / "keystone.conf"
        config.write_text(CONFIG.format(directory=directory))
        (directory / "fernet").mkdir(mode=0o700)
        user, group = str(os.getuid()), str(os.getgid())
        for command in (
            ["db_sync"],
            ["fernet_setup", "--keystone-user", user, "--keystone-group", group],
            ["bootstrap", "--bootstrap-public-url", self.url],
        ):
            environment = {**os.environ, "OS_BOOTSTRAP_PASSWORD": PASSWORD}
            done = subprocess.run(
                [manage, "--config-file", str(config), *command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=400,
            )
            assert done.returncode == 0, done.stderr
        self._log = (directory / "wsgi.log").open("w+")
        environment = {**os.environ, "OS_KEYSTONE_CONFIG_FILES": str(config), "OS_KEYSTONE_CONFIG_DIR": str(directory)}
        command = [serve, "--host", "127.0.0.1", "--port", str(port)]
        self._process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=self._log)
        self._http = httpx.Client(timeout=120, trust_env=False)
        try:
            self._wait(directory / "wsgi.log")
            self._fill()
        except BaseException:
            self.stop()
            raise

    def _wait(self, log: Path) -> None:
        end = time.monotonic() + 300
        while True:
            try:
                self._http.get(self.url).raise_for_status()
                return
            except httpx.HTTPError:
                assert self._process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.2)

    def _fill(self) -> None:
        admin = {"x-auth-token": self.token("admin", "admin")}

        def make(kind: str, body: dict[str, Any]) -> str:
            answer = self._http.post(f"{self.url}/{kind}s", json={kind: body}, headers=admin)
            answer.raise_for_status()
            return str(answer.json()[kind]["id"])

        shop = make("project", {"name": "shop", "domain_id": "default"})
        roles = self._http.get(f"{self.url}/roles", headers=admin).json()["roles"]
        ids = {role["name"]: role["id"] for role in roles}
        for name, role in (("olga", "member"), ("nils", "reader")):
            fields = {"name": name, "domain_id": "default", "password": PASSWORD, "default_project_id": shop}
            self.olga = make("user", fields)
            granted = f"{self.url}/projects/{shop}/users/{self.olga}/roles/{ids[role]}"
            self._http.put(granted, headers=admin).raise_for_status()

    def token(self, user: str, project: str) -> str:
        """A token of ``user``; ``project`` "" is none at all."""
        domain = {"id": "default"}
        who = {"user": {"name": user, "domain": domain, "password": PASSWORD}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": who}}
        auth["scope"] = {"project": {"name": project, "domain": domain}} if project else "unscoped"
        answer = self._http.post(f"{self.url}/auth/tokens", json={"auth": auth})
        answer.raise_for_status()
        return answer.headers["x-subject-token"]

    def revoke(self, token: str) -> None:
        headers = {"x-auth-token": token, "x-subject-token": token}
        self._http.delete(f"{self.url}/auth/tokens", headers=headers).raise_for_status()

    def stop(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    running = Keystone(tmp_path_factory.mktemp("keystone"))
    yield running
    running.stop()


async def test_a_token_is_worth_the_role_of_its_project_and_only_while_keystone_knows_it(
    anonymous: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    app: GatewayApp,
    context: MemoryContext,
    keystone: Keystone,
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = {"kind": "keystone", "url": keystone.url, "rules": RULES}
    assert (await admin.put("/v1/identity-providers/cloud", json=body)).status_code == 200

    async def show(token: str) -> tuple[int, str]:
        answer = await anonymous.post("/v1/auth/exchange", json={"provider": "cloud", "token": token})
        assert token not in answer.text + caplog.text
        return answer.status_code, answer.json().get("code") or answer.json()["role"]

    assert await show(keystone.token("admin", "admin")) == (200, "admin")
    olga = keystone.token("olga", "shop")
    assert await show(olga) == (200, "viewer")
    users = context.reader.many("users/", UserRecord)
    assert {user.display for user in users.values() if user.provider} == {"Default/admin", "Default/olga"}
    assert await show(keystone.token("nils", "shop")) == (403, "no-role")
    assert await show(keystone.token("admin", "")) == (401, "identity-refused")  # of no project
    keystone.revoke(olga)
    for refused in (olga, "gAAAAAB" + "x" * 180, "x\ty", "x" * 9000, "../../users"):
        assert await show(refused) == (401, "identity-refused")
    await app.close("the test is over")


@pytest.mark.filterwarnings("ignore:Support for InfluxDB")  # openstacksdk says it of itself
def test_the_command_line_gets_its_token_from_what_openstacks_tools_read(
    tmp_path: Path, keystone: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aware_agent.cli.app import app as aware
    from tests.unit.cli_support import colony

    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    named = {"auth_url": keystone.url, "username": "olga", "project_name": "shop"}
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    known = {
        cloud: {"auth": {**named, **domains, "password": password}}
        for cloud, password in (("shop", PASSWORD), ("wrong", "other"))
    }
    clouds = tmp_path / "clouds.json"
    clouds.write_text(json.dumps({"clouds": known}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    with colony(tmp_path) as demo:
        fake = demo.gateway()
        demo.context(fake.url)
        way = {"name": "cloud", "kind": "keystone", "login_url": "", "takes_tokens": True}
        fake.say("GET /v1/auth/providers", {"providers": [way]})
        fake.say("POST /v1/auth/exchange", {"access_token": "new", "refresh_token": "next", "role": "viewer"})
        fake.say("GET /v1/auth/me", {"name": f"cloud:{keystone.olga}", "role": "viewer", "expires_at": 1.0})
        fixed = ["login", "--context", str(demo.context_file), "--keystone", "--os-cloud"]
        done = CliRunner().invoke(aware, [*fixed, "shop"])
        assert done.exit_code == 0, done.output
        (asked,) = [ask for ask in fake.asked if ask.path == "/v1/auth/exchange"]
        assert asked.body["provider"] == "cloud"
        checked = httpx.get(
            f"{keystone.url}/auth/tokens",
            headers={"x-auth-token": asked.body["token"], "x-subject-token": asked.body["token"]},
            timeout=120,
            trust_env=False,
        )
        assert checked.json()["token"]["user"]["name"] == "olga"
        refused = CliRunner().invoke(aware, [*fixed, "wrong"])
        assert (refused.exit_code, "no token" in refused.output) == (3, True), refused.output
        assert PASSWORD not in refused.output
