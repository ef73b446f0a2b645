"""How versions of the spec and of configurations, and what changed between them, are shown."""

from __future__ import annotations

from typing import Any

from aware_agent.cli.human import moment
from aware_agent.cli.output import print_table, say


def print_versions(data: dict[str, Any]) -> None:
    """A table of versions, and what is not known any more."""
    rows = [
        (
            f"{one['revision']}{' *' if one['current'] else ''}",
            one["version"],
            moment(one["at"]) if one["at"] else "-",
            one["actor"] or "-",
            one["term"],
            one["message"],
        )
        for one in data["versions"]
    ]
    print_table(("REVISION", "VERSION", "WHEN", "WHO", "TERM", "WHAT"), rows)
    if data["oldest"]:
        say(f"what was before revision {data['oldest']} is not kept any more")


def print_changes(changes: list[dict[str, Any]]) -> None:
    """One line a change."""
    from aware_agent.colony.decoding import from_plain
    from aware_agent.colony.difference import Difference, in_words

    if not changes:
        say("nothing changed")
    for change in changes:
        say(in_words(from_plain(change, Difference)))
