"""What is made of the code is what the code says: man pages, and the pages that the site is made of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from manual.cli_page import cli_page
from manual.commands import whole
from manual.man import man_pages
from manual.rest_page import rest_page
from manual.staging import CHAPTERS, ROOT, mended

MAN = ROOT / "manual" / "man1"


def test_the_man_pages_are_those_of_the_commands() -> None:
    there = {file.name: file.read_text() for file in MAN.iterdir()}
    wanted = man_pages()
    stale = sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))
    assert stale == [], "run make man"


def test_every_command_with_all_its_options_is_in_a_man_page() -> None:
    pages = "".join(man_pages().values()).replace("\\-", "-")
    leaves = list(whole().leaves())
    assert len(leaves) > 100
    for command in leaves:
        assert command.name in pages
        for parameter in command.parameters:
            assert parameter.usage in pages, (command.name, parameter.usage)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff not found: apt install groff")
@pytest.mark.parametrize("page", sorted(MAN.iterdir()), ids=lambda page: page.name)
def test_groff_has_nothing_to_warn_of(page: Path) -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(page)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)
    assert f"NAME {page.stem} - " in " ".join(shown.replace("\u2010", "-").split())  # a hyphen of Unicode's own


def test_the_reference_of_commands_tells_all_of_them() -> None:
    page = cli_page()
    for command in whole().leaves():
        assert f"\n{command.synopsis}\n" in page or f"## {command.name}" in page


def test_the_reference_of_the_gateway_says_who_may_and_what_is_sent() -> None:
    operation = {
        "tags": ["nodes"],
        "description": "Change a node.",
        "parameters": [{"name": "name", "in": "path", "description": "its *name*"}],
        "requestBody": {"content": {"application/json": {"schema": {}, "example": {"cordoned": True}}}},
        "responses": {"200": {"description": "Done"}, "404": {"description": "None"}, "default": {}},
        "x-aware-role": "operator",
        "x-aware-permissions": ["nodes:write"],
    }
    page = rest_page({"info": {"description": "How."}, "paths": {"/v1/nodes/{name}": {"patch": operation}}})
    assert "### `PATCH /v1/nodes/{name}`" in page
    assert "Needs role operator; a service account: `nodes:write`." in page
    assert "| `name` | path | its \\*name\\* |" in page
    assert json.dumps({"cordoned": True}, indent=2) in page
    assert "Answers `200`; problems are `404`." in page


def test_every_page_of_docs_is_in_a_chapter_of_the_site() -> None:
    made = {"reference/commands", "reference/gateway", "collections/index", "changelog", "decisions/index"}
    told = {page for pages in CHAPTERS.values() for page in pages} - made
    pages = {str(page.relative_to(ROOT / "docs"))[:-3] for page in (ROOT / "docs").rglob("*.md")}
    assert told == {page for page in pages if not page.startswith("decisions/")}


@pytest.mark.parametrize(
    ("page", "link", "there"),
    [
        ("README.md", "[a](docs/api.md#reads)", "[a](api.md#reads)"),
        ("README.md", "![a](docs/images/x.png)", "![a](images/x.png)"),
        ("README.md", "[a](LICENSE)", "[a](https://github.com/aware-colony/aware/blob/main/LICENSE)"),
        ("docs/api.md", "[a](../README.md)", "[a](index.md)"),
        ("docs/api.md", "[a](jobs.md)", "[a](jobs.md)"),
        ("docs/wire/beacon.md", "[a](../trust.md#x)", "[a](../trust.md#x)"),
        ("docs/api.md", "[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("docs/api.md", "[a](#here)", "[a](#here)"),
    ],
)
def test_links_of_the_site_lead_where_they_led(page: str, link: str, there: str) -> None:
    assert mended(link, Path(page)) == there
