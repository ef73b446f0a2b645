"""Small files users name on the command line."""

from __future__ import annotations

from pathlib import Path

from aware_agent.colony.errors import InvalidInput

_MAX_BYTES = 1 << 20


def read_text(path: Path, what: str) -> str:
    """The text of ``path`` without surrounding white space. Raises :class:`InvalidInput` naming ``what``."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
        text = raw.decode("utf-8").strip()
    except OSError as error:
        raise InvalidInput(f"cannot read {what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{what} {path} is not text") from error
    if len(raw) > _MAX_BYTES:
        raise InvalidInput(f"{what} {path} is larger than 1 MiB")
    return text
