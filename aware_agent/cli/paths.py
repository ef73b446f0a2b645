"""The one place where the command line makes names part of a URL's path."""

from __future__ import annotations

from urllib.parse import quote

from aware_agent.colony.errors import InvalidInput

_MAX_NAME = 255


def at(*segments: str) -> str:
    """``at("v1", "nodes", name)``: each segment quoted whole, so that none reaches further than its place.

    Raises InvalidInput for an empty segment and for ``.`` and ``..``, which every client and proxy takes for steps of
    the path however they are written, and for what is no printable text of a bounded length: nothing is called so.
    """
    for segment in segments:
        if segment in ("", ".", "..") or len(segment) > _MAX_NAME:
            raise InvalidInput(f"{segment[:_MAX_NAME]!r} is no name: it cannot be asked for")
        if any("\ud800" <= letter <= "\udfff" for letter in segment):
            raise InvalidInput("a name that is asked for is not Unicode text", hint="is the locale UTF-8?")
        if not segment.isprintable():
            raise InvalidInput(f"{segment!r} is no name: it has letters that cannot be printed")
    return "".join(f"/{quote(segment, safe='@:')}" for segment in segments)
