"""``python -m manual man | site DIRECTORY``: make what is made of the code."""

from __future__ import annotations

import argparse
from pathlib import Path

from manual.man import man_pages
from manual.staging import ROOT, stage

MAN = ROOT / "manual" / "man1"


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m manual", description="Make the pages that are made of the code.")
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("man", help="write the man pages into manual/man1, which the package brings")
    what.add_parser("site", help="lay out the pages of the site for Sphinx").add_argument("directory", type=Path)
    options = parser.parse_args()
    if options.what == "site":
        stage(options.directory)
        return
    pages = man_pages()
    MAN.mkdir(exist_ok=True)
    for file in MAN.iterdir():
        if file.name not in pages:
            file.unlink()
    for name, text in pages.items():
        (MAN / name).write_text(text)


main()
