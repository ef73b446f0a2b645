"""Reading a cluster spec from a file: JSON, or YAML in the form of ``inventories/*/cluster.yml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from aware_agent.cli.files import read_text
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.spec import Spec, parse_spec

# An inventory file also names its plugin and how and where nodes come to be; none of that is part of the wish.
NOT_SPEC = frozenset({"plugin", "provider", "directory", "hosts"})


def read_spec(path: Path) -> Spec:
    """The checked spec in ``path``. Raises :class:`InvalidInput` that names file and field."""
    document = _decode(path)
    if not isinstance(document, dict):
        raise InvalidInput(f"spec {path} is not a mapping", hint="it starts with colony: NAME")
    wish = {key: value for key, value in document.items() if key not in NOT_SPEC}
    try:
        raw = msgspec.json.encode(wish)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"spec {path} holds values JSON does not know: {error}") from error
    try:
        return parse_spec(raw)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", field=error.field, hint=_hint(error)) from error


def _hint(error: InvalidInput) -> str:
    return ", ".join(part for part in (error.field and f"at {error.field}", error.hint) if part)


def _decode(path: Path) -> Any:
    text = read_text(path, "spec")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if path.suffix == ".json":
            raise InvalidInput(f"spec {path} is not JSON: {error}") from error
    try:
        return msgspec.yaml.decode(text)
    except ImportError as error:
        raise InvalidInput(
            f"spec {path} is not JSON, and YAML is not installed here", hint="pip install pyyaml"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"spec {path} is not YAML: {' '.join(str(error).split())}") from error
