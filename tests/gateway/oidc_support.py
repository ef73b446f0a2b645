"""A real OpenID provider for tests: oidc-provider of npm, in a process of its own, and a browser that logs in there."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from aware_agent.ports import free_ports

PACKAGE = "oidc-provider@9.13.3"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
CLIENT, SECRET, URL = "aware", "a client's secret: +/%", "https://queen"
USERS: dict[str, dict[str, Any]] = {
    "alice": {"preferred_username": "Alice A.", "groups": ["staff", "aware-admins"]},
    "olga": {"groups": ["aware-operators"]},
    "vic": {"email": "vic@example.org", "email_verified": True},
    "eve": {"email": "boss@example.org", "email_verified": False, "groups": ["strangers"]},
}
RULES = [
    {"role": "admin", "values": ["aware-admins"]},
    {"role": "operator", "values": ["aware-operators"]},
    {"role": "viewer", "claim": "email", "values": ["vic@example.org", "boss@example.org"]},
    {"role": "operator", "claim": "sub", "values": ["repo:aware/app:*"]},
]
BACK = "http://127.0.0.1:9/"


def package() -> Path:
    """Where the package is installed, once for all runs on this machine. Skips where there is no npm, or no network."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm and node are not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aware-tests" / "oidc-provider"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache / "installed"
        if not done.exists() or done.read_text() != PACKAGE:
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(cache), PACKAGE]
            try:
                made = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cache)
            except subprocess.TimeoutExpired:
                pytest.skip("npm did not install the provider within 300 s")
            if made.returncode != 0:
                pytest.skip(f"npm could not install the provider: {made.stderr.strip()[-300:]}")
            done.write_text(PACKAGE)
    return cache


class Key:
    """A signing key of the provider."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.private = rsa.generate_private_key(65537, 2048)

    @property
    def jwk(self) -> dict[str, Any]:
        """Private, for the provider."""
        document: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self.private, as_dict=True)
        document.pop("key_ops", None)
        return document | {"kid": self.name, "use": "sig", "alg": "RS256"}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, algorithm="RS256", headers={"kid": self.name, **header})


class RealProvider:
    """The process. ``key`` is the one it signs with; tests have it too, and make tokens of their own with it."""

    def __init__(self, directory: Path, url: str = URL) -> None:
        cache = package()
        (self.port,) = free_ports(1)
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.key = Key("first")
        script = cache / f"provider-{self.port}.mjs"
        shutil.copy(SCRIPT, script)  # beside the package, where node looks for it
        client = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [f"{url}/v1/auth/oidc/corp/callback"],
            "grant_types": ["authorization_code"],
            "scope": "openid profile email groups",
        }
        config = {"issuer": self.issuer, "port": self.port, "clients": [client], "users": USERS}
        path = directory / "provider.json"
        path.write_text(json.dumps(config | {"keys": [self.key.jwk]}))
        self._script, self._log = script, (directory / "provider.log").open("w+")
        self._process = subprocess.Popen(["node", str(script), str(path)], stdout=self._log, stderr=self._log)
        self._wait(directory / "provider.log")

    def _wait(self, log: Path) -> None:
        end = time.monotonic() + 120
        while "serving" not in log.read_text():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < end, "the provider did not start"
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
        self._script.unlink()

    def change_keys(self, key: Key, *older: Key) -> None:
        """The provider signs with ``key`` from now on, and shows ``older`` too."""
        keys = [each.jwk for each in (key, *older)]
        httpx.post(f"{self.issuer}/test/keys", json=keys, timeout=60, trust_env=False).raise_for_status()
        self.key = key

    def token(self, now: float, **changes: Any) -> str:
        """A token of the provider for a program, good unless ``changes`` say otherwise; None leaves a claim out."""
        claims = {
            "iss": self.issuer,
            "sub": "repo:aware/app:ref:refs/heads/main",
            "aud": "colony-demo",
            "iat": int(now),
            "exp": int(now) + 300,
            **changes,
        }
        return self.key.sign({name: value for name, value in claims.items() if value is not None})


def settings(issuer: str, **changes: Any) -> dict[str, Any]:
    """A body of ``PUT /v1/identity-providers/corp``."""
    return {
        "kind": "oidc",
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "public_url": URL,
        "scopes": ["openid", "profile", "email", "groups"],
        "audiences": ["colony-demo"],
        "rules": RULES,
        **changes,
    }


class Program:
    """What ``aware login --provider`` is, without a port: it begins a login and redeems what comes back."""

    def __init__(self, gateway: httpx.AsyncClient, name: str = "corp") -> None:
        self.gateway, self.name = gateway, name
        self.verifier, self.state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)

    async def begin(self, **changes: Any) -> httpx.Response:
        digest = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"redirect_uri": BACK, "code_challenge": digest, "state": self.state, **changes}
        return await self.gateway.get(f"/v1/auth/oidc/{self.name}/login", params=asked)

    async def log_in(self, user: str) -> str:
        """Where the provider sends the browser when ``user`` has logged in."""
        begun = await self.begin()
        assert begun.status_code == 302, begun.text
        return await browse(begun.headers["location"], user)

    async def returned(self, url: str) -> dict[str, str]:
        """What the gateway sends to the program when the browser comes back."""
        answer = await self.gateway.get(url)
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"].startswith(BACK)
        return query(answer.headers["location"])

    async def redeem(self, code: str, verifier: str = "") -> httpx.Response:
        body = {"code": code, "code_verifier": verifier or self.verifier}
        return await self.gateway.post("/v1/auth/exchange", json=body)

    async def whole(self, user: str) -> httpx.Response:
        back = await self.returned(await self.log_in(user))
        assert back["state"] == self.state
        return await self.redeem(back["code"])


def query(url: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


async def browse(url: str, user: str) -> str:
    """Log in and consent at the provider as a browser would; where it sends the browser in the end."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as browser:
        for _ in range(12):
            if url.startswith(URL):
                return url
            answer = await browser.get(url)
            if answer.status_code == 200:
                prompt = "consent" if 'value="consent"' in answer.text else "login"
                form = {"prompt": prompt, "login": user, "password": "any"}
                answer = await browser.post(url, data=form)
            assert answer.is_redirect, answer.text
            url = str(answer.url.join(answer.headers["location"]))
    raise AssertionError(f"the provider never sent the browser back: {url}")
