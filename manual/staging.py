"""The pages of the site, laid out for Sphinx: docs/ and README with links mended, and references made beside them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from manual.cli_page import cli_page
from manual.rest_page import rest_page

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "https://github.com/aware-colony/aware/blob/main"
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")

# Every page stands in one of these; Sphinx refuses to build when one is missing.
CHAPTERS: dict[str, tuple[str, ...]] = {
    "Start": ("hosts", "openstack", "heat", "ansible", "dashboard"),
    "Do": ("upgrade", "backup", "jobs", "scaling", "servers", "webhooks", "monitoring", "login", "cli",
           "testing-cloud", "testing-hosts"),
    "Look up": ("spec", "settings", "api", "reference/commands", "reference/gateway", "collections/index",
                "authorization", "audit", "glossary", "wire/beacon", "changelog"),
    "Understand": ("architecture", "election", "council", "channel", "trust", "faults", "benchmarks",
                   "decisions/index"),
}  # fmt: skip
_PIECES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}  # of the top, under what name


def stage(into: Path) -> None:
    """Lay everything out in ``into``, which is made anew. Raises CalledProcessError when a reference cannot be made."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(ROOT / "docs", into)
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = page.relative_to(ROOT / "docs")
        (into / name).write_text(mended(page.read_text(), Path("docs") / name))
    for source, name in _PIECES.items():
        (into / name).write_text(mended((ROOT / source).read_text(), Path(source)))
    (into / "index.md").write_text((into / "index.md").read_text() + "\n" + _contents())
    records = sorted(one.stem for one in (into / "decisions").glob("[0-9]*.md"))
    (into / "decisions" / "index.md").write_text("# Decisions\n\n" + _toctree("", records))
    (into / "reference").mkdir()
    (into / "reference" / "commands.md").write_text(cli_page())
    (into / "reference" / "gateway.md").write_text(rest_page(json.loads(_told("scripts/openapi-document"))))
    _collection(into)
    shutil.copyfile(ROOT / "manual" / "ansible.rst", into / "collections" / "ansible.rst")
    shutil.copyfile(ROOT / "manual" / "conf.py", into / "conf.py")


def mended(text: str, page: Path) -> str:
    """``text`` of ``page`` with links that lead to the same places from the site."""
    own = _site_name(page)

    def link(found: re.Match[str]) -> str:
        opening, target, anchor, closing = found.groups()
        if re.match(r"[a-z]+:|/", target):
            return found.group()
        path = _normal(page.parent / target)
        return f"{opening}{_relative(own, path)}{anchor or ''}{closing}"

    return _LINK.sub(link, text).replace("```mermaid", "```text")


def _normal(path: Path) -> Path:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return Path(*parts)


def _site_name(page: Path) -> Path | None:
    """Where a file of the repository stands in the site; None when it does not."""
    if str(page) in _PIECES:
        return Path(_PIECES[str(page)])
    return page.relative_to("docs") if page.parts[:1] == ("docs",) and page.suffix else None


def _relative(own: Path | None, path: Path) -> str:
    there = _site_name(path)
    if own is None or there is None:
        return f"{SOURCE}/{path}"
    return "../" * len(own.parent.parts) + str(there)


def _contents() -> str:
    return "".join(_toctree(caption, list(pages)) for caption, pages in CHAPTERS.items())


def _toctree(caption: str, pages: list[str]) -> str:
    head = [f":caption: {caption}", ":hidden:"] if caption else [":maxdepth: 1"]
    return "\n".join(["```{toctree}", *head, "", *pages, "```", "", ""])


def _told(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def _collection(into: Path) -> None:
    """The collection's modules, plugins and roles, as Galaxy shows them."""
    tool = Path(sys.executable).with_name("antsibull-docs")
    options = ["--use-current", "--dest-dir", str(into), "--fail-on-error", "--no-add-antsibull-docs-version"]
    subprocess.run(
        [str(tool), "collection", *options, "aware.cluster"],
        cwd=ROOT,
        check=True,
        env={"PATH": f"{tool.parent}:/usr/bin:/bin", "HOME": str(into), "LC_ALL": "C.UTF-8",
             "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")},
        capture_output=True,
        text=True,
    )  # fmt: skip
