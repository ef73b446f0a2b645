"""The pages a user reads, taken apart: links, code, console blocks."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Code:
    """A piece of code on a page: a block with its language, or words in a line (``language`` is ``inline``)."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page}:{self.line}"


@cache
def tracked() -> frozenset[str]:
    """Files of the repository, new ones that are not ignored included."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(name for name in listed.stdout.splitlines() if (ROOT / name).exists())


@cache
def pages() -> tuple[str, ...]:
    """Every page, but the changelog, which tells of the past."""
    return tuple(sorted(name for name in tracked() if name.endswith(".md") and not name.endswith("CHANGELOG.md")))


@cache
def code(page: str) -> tuple[Code, ...]:
    """All code of a page, in its order."""
    found = []
    for token in _PARSER.parse((ROOT / page).read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info else "shell"
            found.append(Code(page, line, language, token.content))
        elif token.type == "inline":
            found += [
                Code(page, line, "inline", child.content)
                for child in token.children or ()
                if child.type == "code_inline"
            ]
    return tuple(found)


def everywhere() -> Iterator[Code]:
    """All code of all pages."""
    for page in pages():
        yield from code(page)


@cache
def links(page: str) -> tuple[str, ...]:
    """Where the links and images of a page lead."""
    targets = []
    for token in _PARSER.parse((ROOT / page).read_text(encoding="utf-8")):
        for child in token.children or ():
            target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
            if isinstance(target, str):
                targets.append(target)
    return tuple(targets)


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors GitHub makes of a page's headings."""
    tokens = _PARSER.parse((ROOT / page).read_text(encoding="utf-8"))
    titles = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    return frozenset(re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-") for title in titles)


def command_lines(piece: Code) -> Iterator[str]:
    """The command lines in a piece of code, without comments; continued lines are joined."""
    text = piece.text.replace("\\\n", " ")
    for raw in text.splitlines():
        line = raw.strip()
        if piece.language == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        yield line


def words(line: str) -> list[str]:
    """The words of a command line, as a shell would split it; none when it is no such line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&()<>")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []


def calls(line: str) -> Iterator[list[str]]:
    """The simple commands of a line, each as its words, assignments before them left out."""
    call: list[str] = []
    for word in [*words(line), ";"]:
        if word and set(word) <= set(";|&()<>"):
            while call and re.fullmatch(r"[A-Z_]+=.*", call[0]):
                call.pop(0)
            if call:
                yield call
            call = []
        else:
            call.append(word)


def invocations(
    program: str, languages: tuple[str, ...] = ("console", "sh", "shell", "inline")
) -> Iterator[tuple[Code, list[str]]]:
    """Every use of a program on any page: where, and its arguments."""
    for piece in everywhere():
        if piece.language not in languages:
            continue
        for line in command_lines(piece):
            for call in calls(line):
                if program in (call[0], call[0].removeprefix(".venv/bin/")):
                    yield piece, call[1:]


@cache
def sources() -> str:
    """Everything that is no page: what a name on a page has to occur in."""
    texts = []
    for name in sorted(tracked()):
        path = ROOT / name
        if name.endswith((".md", ".png", ".rst")) or path.is_symlink() or path.stat().st_size > 1_000_000:
            continue
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
    return "\n".join(texts)
