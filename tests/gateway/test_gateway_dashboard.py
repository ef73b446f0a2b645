"""The built dashboard: whole, below any path, small to fetch, kept by browsers as long as it stays the same."""

from __future__ import annotations

import gzip
import itertools
import re
from pathlib import Path

import httpx
import pytest

from aware_agent.colony.view import ColonyView
from aware_agent.gateway.routes import dashboard
from aware_agent.store.errors import StoreUnreachable
from tests.gateway.memory import MemoryContext

BUILT = Path(dashboard.__file__).parent.parent / "dashboard"
ASSETS = sorted(path.name for path in (BUILT / "assets").iterdir())
HASHED = [name for name in ASSETS if re.search(r"-[A-Za-z0-9_-]{8}\.js$", name)]


@pytest.mark.parametrize("page", ["/", "/docs"])
async def test_a_page_names_only_files_that_are_there_and_runs_no_script_of_its_own(
    anonymous: httpx.AsyncClient, page: str
) -> None:
    text = (await anonymous.get(page)).text
    named = re.findall(r'(?:src|href)="(?:\./)?(assets/[^"]+)"', text)
    assert len(named) >= 3
    for name in named:
        assert (await anonymous.get(f"/{name}")).status_code == 200, name
    assert not re.search(r'(?:src|href)="/', text), "an address from the root leads out of where a proxy put the page"
    assert not re.search(r"<script[^>]*>[^<]", text)
    assert "<style" not in text


async def test_what_scripts_load_later_is_there() -> None:
    for name in HASHED:
        text = (BUILT / "assets" / name).read_text(encoding="utf-8")
        for other in re.findall(r'(?:from|import)\s*\(?[`"\']\./([^`"\']+\.js)[`"\']', text):
            assert other in ASSETS, f"{name} loads {other}"


async def test_every_file_is_served_compressed_and_kept_for_ever_where_its_name_is_of_its_bytes(
    anonymous: httpx.AsyncClient,
) -> None:
    assert len(HASHED) > 5
    for name in ASSETS:
        answer = await anonymous.get(f"/assets/{name}", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == (BUILT / "assets" / name).read_bytes()
        kept = "immutable" in answer.headers["cache-control"]
        assert kept == (name in HASHED), name
        plain = await anonymous.get(f"/assets/{name}", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.headers["etag"] != answer.headers["etag"]
        assert "accept-encoding" in plain.headers["vary"]
        again = await anonymous.get(
            f"/assets/{name}", headers={"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]}
        )
        assert again.status_code == 304


async def test_the_policy_lets_no_script_or_style_in_that_is_not_a_file_of_the_gateway(
    anonymous: httpx.AsyncClient,
) -> None:
    policy = (await anonymous.get("/")).headers["content-security-policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert (rules["script-src"], rules["style-src"], rules["img-src"]) == ("'self'", "'self'", "'self'")
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy


def test_the_first_load_is_small() -> None:
    """All that a browser fetches until it shows the colony: login, first page, and what they import at once."""
    index = (BUILT / "index.html").read_text(encoding="utf-8")
    wanted = [
        *re.findall(r"assets/[^\"]+", index),
        *(f"assets/{name}" for name in HASHED if name.startswith("Colony-")),
    ]
    assert sum(name.startswith("assets/Colony-") for name in wanted) == 1
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.endswith(".js"):
            text = (BUILT / name).read_text(encoding="utf-8")
            wanted += [f"assets/{other}" for other in re.findall(r'(?:from|import)"\./([^"]+\.js)"', text)]
    size = sum(len(gzip.compress((BUILT / name).read_bytes(), 9)) for name in seen)
    print(f"first load: {size} bytes")
    assert size <= 250_000, f"{size} bytes in {sorted(seen)}"


async def test_a_page_waits_a_moment_for_the_first_look_at_the_colony(
    context: MemoryContext, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it may ask is settled when it is loaded: without the others' origins it would be alone with its gateway."""
    seen, asked = context.view, itertools.count()

    def view() -> ColonyView:
        if next(asked) < 3:
            raise StoreUnreachable("etcd does not answer")
        return seen()

    monkeypatch.setattr(context, "view", view)
    policy = (await anonymous.get("/")).headers["content-security-policy"]
    assert " https://" in policy.split("connect-src", 1)[1].split(";")[0]
    assert next(asked) > 3
