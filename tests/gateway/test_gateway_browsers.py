"""What browsers and scrapers may, and what TLS is spoken: as the settings say, and closed by default."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from aware_agent.agent.settings import GatewaySettings, SettingsInvalid, load_settings
from aware_agent.colony.errors import InvalidInput
from aware_agent.gateway.app import create_gateway
from aware_agent.gateway.browsers import MAX_GATEWAYS, gateways
from aware_agent.gateway.server import GatewayServer
from aware_agent.gateway.worker import WorkerApp
from tests.gateway.memory import PASSWORD, MemoryContext
from tests.gateway.test_gateway_worker import WorkerContext

PAGE, OTHER = "https://console.example.org", "https://evil.example"
TOKEN = "a-token-for-the-scraper-alone"


@asynccontextmanager
async def gateway(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_gateway(MemoryContext(), GatewaySettings(**settings))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen") as client:
        yield client


async def token(client: httpx.AsyncClient, name: str = "vera") -> dict[str, str]:
    answer = await client.post("/v1/auth/token", json={"username": name, "password": PASSWORD})
    assert answer.headers["cache-control"] == "no-store"
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.get("/v1/auth/me", headers=headers)).status_code == 200
    return headers


async def test_no_page_of_others_may_ask_by_default() -> None:
    async with gateway() as client:
        headers = {**await token(client), "origin": OTHER}
        for path in ("/v1/cluster", "/v1/auth/me", "/metrics", "/nothing"):
            answer = await client.get(path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")], path
        asked = {"origin": OTHER, "access-control-request-method": "PUT"}
        assert (await client.options("/v1/spec", headers=asked)).status_code == 405


async def test_a_page_that_is_named_may_ask_and_read_without_credentials_of_the_browser() -> None:
    async with gateway(cors_origins=(PAGE,)) as client:
        headers = await token(client)
        asked = {"origin": PAGE, "access-control-request-method": "PUT", "access-control-request-headers": "if-match"}
        allowed = await client.options("/v1/spec", headers=asked)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert "PUT" in allowed.headers["access-control-allow-methods"]
        assert "if-match" in allowed.headers["access-control-allow-headers"]
        for path in ("/v1/cluster", "/v1/auth/me", "/metrics", "/nothing"):
            answer = await client.get(path, headers={**headers, "origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == PAGE, path
            assert "origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers
            refused = await client.get(path, headers={**headers, "origin": OTHER})
            assert "access-control-allow-origin" not in refused.headers, path
        refused = await client.options("/v1/spec", headers={**asked, "origin": OTHER})
        assert (refused.status_code, refused.headers.get("access-control-allow-origin")) == (405, None)


async def test_pages_of_the_colonys_own_gateways_may_ask_and_say_so_to_the_browser() -> None:
    async with gateway() as client:
        headers = await token(client)
        nodes = (await client.get("/v1/nodes", headers=headers)).json()["nodes"]
        eligible = {node["url"] for node in nodes if node["eligible"]}
        assert len(eligible) > 1
        policy = (await client.get("/")).headers["content-security-policy"]
        for url in eligible:
            assert f" {url} wss{url.removeprefix('https')}" in policy
            asked = {"origin": url, "access-control-request-method": "PUT"}
            assert (await client.options("/v1/spec", headers=asked)).headers["access-control-allow-origin"] == url
            for path in ("/v1/cluster", "/v1/council", "/nothing"):
                answer = await client.get(path, headers={**headers, "origin": url})
                assert answer.headers["access-control-allow-origin"] == url, path
                assert "access-control-allow-credentials" not in answer.headers
        for near in (f"{next(iter(eligible))}1", "https://", "null", next(iter(eligible)).replace("https", "http")):
            answer = await client.get("/v1/cluster", headers={**headers, "origin": near})
            assert "access-control-allow-origin" not in answer.headers, near


def test_only_nodes_an_admin_allowed_are_gateways_whatever_the_others_call_themselves() -> None:
    context = MemoryContext()
    first, second, *others = context.view().nodes
    worker = msgspec.structs.replace(first, eligible=False, url="https://evil.example")
    odd = [
        msgspec.structs.replace(first, url=url) for url in ("http://a", "https://a/b", "https://a; script-src *", "")
    ]
    plain = msgspec.structs.replace(second, url="https://a.example:443")
    assert gateways([worker, *odd, plain]) == ("https://a.example",)
    crowd = [msgspec.structs.replace(first, id=f"{i:03}", url=f"https://n{i}:8443", role="worker") for i in range(200)]
    seated = msgspec.structs.replace(first, id="zzz", url="https://seat:8443", role="member")
    assert gateways([*crowd, seated])[0] == "https://seat:8443"
    assert len(gateways([*crowd, seated])) == MAX_GATEWAYS
    assert len(others) > 0


@pytest.mark.parametrize("path", ["/", "/docs", "/metrics", "/v1/users", "/nothing", "/openapi.json"])
async def test_nothing_is_framed_sniffed_or_told_to_where_a_link_leads(path: str) -> None:
    async with gateway() as client:
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "strict-transport-security" not in headers
    async with gateway(hsts_max_age_s=3600) as client:
        assert (await client.get(path)).headers["strict-transport-security"] == "max-age=3600"


async def test_secrets_are_kept_by_no_cache() -> None:
    async with gateway() as client:
        ada = await token(client, "ada")
        made = await client.post("/v1/tokens", json={"uses": 1}, headers=ada)
        ticket = await client.post("/v1/auth/ticket", headers=ada)
        for answer in (made, ticket):
            assert (answer.is_success, answer.headers["cache-control"]) == (True, "no-store")


# Metrics --------------------------------------------------------------------------------------------------------------


async def test_metrics_are_open_unless_a_token_is_named(tmp_path: Path) -> None:
    file = tmp_path / "metrics.token"
    file.write_text(TOKEN + "\n")
    async with gateway() as client:
        assert (await client.get("/metrics")).status_code == 200
    async with gateway(metrics_token_file=str(file)) as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.head("/metrics")).status_code == 401
        for shown in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", f"Basic {TOKEN}", ""):
            assert (await client.get("/metrics", headers={"authorization": shown})).status_code == 401, shown
        scraper = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/metrics", headers=scraper)).status_code == 200
        assert (await client.get("/metrics", headers=await token(client))).status_code == 200
        assert (await client.get("/v1/cluster", headers=scraper)).status_code == 401, "it opens nothing else"
        assert (await client.get("/healthz")).status_code == 200
        file.write_text("another-token-of-tomorrow")
        assert (await client.get("/metrics", headers=scraper)).status_code == 401
        anew = {"authorization": "Bearer another-token-of-tomorrow"}
        assert (await client.get("/metrics", headers=anew)).status_code == 200
        for path in ("short", ""):
            file.write_text(path)
            assert (await client.get("/metrics", headers={"authorization": f"Bearer {path}"})).status_code == 401
        file.unlink()
        assert (await client.get("/metrics", headers=anew)).status_code == 401


async def test_a_workers_metrics_take_the_token_too(tmp_path: Path) -> None:
    file = tmp_path / "metrics.token"
    file.write_text(TOKEN)
    app = WorkerApp(WorkerContext(), GatewaySettings(metrics_token_file=str(file)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://worker") as client:
        refused = await client.get("/metrics")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert (await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await client.get("/healthz")).status_code == 200


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minimum", "spoken"), [("1.2", "TLSv1.2"), ("1.3", None)])
async def test_the_oldest_tls_that_is_spoken_is_a_setting(
    certificate: tuple[Path, Path], minimum: Any, spoken: str | None
) -> None:
    async def app(*_: object) -> None:
        """Nobody gets as far as a request."""

    server = GatewayServer(app, "127.0.0.1", 0, certificate, settings=GatewaySettings(tls_minimum=minimum))
    await server.start()
    client = ssl.create_default_context(cafile=str(certificate[0]))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        opening = asyncio.open_connection("127.0.0.1", server.port, ssl=client, server_hostname="localhost")
        if spoken is None:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await opening
        else:
            _, writer = await opening
            assert writer.get_extra_info("ssl_object").version() == spoken
            writer.close()
    finally:
        await server.stop()


async def test_ciphers_nobody_knows_are_refused(certificate: tuple[Path, Path]) -> None:
    async def app(*_: object) -> None:
        """Never asked."""

    server = GatewayServer(app, "127.0.0.1", 0, certificate, settings=GatewaySettings(tls_ciphers="NO-SUCH-CIPHER"))
    with pytest.raises(InvalidInput, match="tls_ciphers"):
        await server.start()


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('cors_origins = ["*"]', "cors_origins"),
        ('cors_origins = ["https://x/path"]', "cors_origins"),
        ('metrics_token_file = "relative"', "metrics_token_file"),
        ('tls_minimum = "1.0"', "tls_minimum"),
        ("hsts_max_age_s = -1", "hsts_max_age_s"),
        ("max_streams_per_user = 0", "max_streams_per_user"),
        ("requests_per_s = 0", "requests_per_s"),
    ],
)
def test_settings_that_would_say_something_else_are_refused(tmp_path: Path, line: str, field: str) -> None:
    file = tmp_path / "agent.toml"
    head = f'colony = "demo"\nname = "n"\nstate_dir = "{tmp_path}"\naddress = "127.0.0.1"\n'
    file.write_text(f"{head}[gateway]\n{line}\n")
    with pytest.raises(SettingsInvalid, match=field):
        load_settings(file, {})
