"""Reading a cluster spec from a file: JSON, or YAML in the form of ``inventories/*/cluster.yml``.

The inventory plugin ``aware.cluster.spec`` reads the same files. What is written there means the same to both, and what
only one of them could read is refused by both: a value is text, a number, true or false, a list or a mapping, and
``key:`` with nothing behind it is as good as no key.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec

from aware_agent.cli.files import read_text
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.spec import Spec, parse_spec

# An inventory file also names its plugin and how and where nodes come to be; none of that is part of the wish.
NOT_SPEC = frozenset({"plugin", "provider", "directory", "hosts"})
_FREE = frozenset({"castes", "labels"})  # the user names their keys, so an empty one of them means something
_MAX_DEPTH = 16
_MAX_VALUES = 200_000  # aliases of YAML make much out of little


def read_spec(path: Path) -> Spec:
    """The checked spec in ``path``. Raises :class:`InvalidInput` that names file and field."""
    text = read_text(path, "spec")
    try:
        document = _decode(text, path)
        if not isinstance(document, dict):
            raise InvalidInput("it is not a mapping", hint="it starts with colony: NAME")
        wish = _Plain().mapping({key: value for key, value in document.items() if key not in NOT_SPEC})
        return parse_spec(msgspec.json.encode(wish))
    except InvalidInput as error:
        raise InvalidInput(f"spec {path}: {_once(error)}", field=error.field, hint=_hint(error)) from error


def read_document(path: Path, what: str) -> dict[str, Any]:
    """The mapping in ``path``, as JSON knows it. Raises :class:`InvalidInput` that names the file."""
    text = read_text(path, what)
    try:
        document = _decode(text, path)
        if not isinstance(document, dict):
            raise InvalidInput("it is not a mapping")
        return _Plain().mapping(document)
    except InvalidInput as error:
        raise InvalidInput(f"{what} {path}: {error.message}", field=error.field, hint=_hint(error)) from error


def _once(error: InvalidInput) -> str:
    return error.message.removeprefix("spec: ").removeprefix("spec ")


def _hint(error: InvalidInput) -> str:
    place = "" if error.field in error.message else f"at {error.field}"
    return ", ".join(part for part in (place, error.hint) if part)


class _Plain:
    """Copies a document of YAML into one that JSON knows as well. Bounded, also for one that holds itself."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES
        self._depth = 0

    def mapping(self, given: dict[Any, Any], where: str = "", *, free: bool = False) -> dict[str, Any]:
        """``given`` without keys that are empty. Raises InvalidInput."""
        result = {}
        for key, value in given.items():
            if not isinstance(key, str):
                raise InvalidInput(f"key {key!r:.40} is not text; quote it", field=where)
            at = f"{where}.{key}" if where else key
            if value is not None or free:
                result[self._text(key, where)] = self._value(value, at, in_free=key in _FREE and not free)
        return result

    def _value(self, value: Any, at: str, *, in_free: bool = False) -> Any:
        self._left -= 1
        if self._left < 0 or self._depth > _MAX_DEPTH:
            raise InvalidInput("it is nested too deeply, or holds itself by an alias", field=at[:80])
        if isinstance(value, (dict, list)):
            self._depth += 1
            try:
                if isinstance(value, dict):
                    return self.mapping(value, at, free=in_free)
                return [self._value(item, f"{at}.{number}") for number, item in enumerate(value)]
            finally:
                self._depth -= 1
        if isinstance(value, str):
            return self._text(value, at)
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"{value} is not a number", field=at)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        raise InvalidInput(f"a {type(value).__name__} is no text; quote it", field=at)

    @staticmethod
    def _text(text: str, at: str) -> str:
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InvalidInput("it holds what is not Unicode text", field=at)
        return text


def _decode(text: str, path: Path) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    # Numbers of thousands of digits are refused by Python, thousands of brackets by its stack.
    except (ValueError, RecursionError) as error:
        if path.suffix == ".json":
            raise InvalidInput(f"it is not JSON: {error}") from error
    return _decode_yaml(text)


def _decode_yaml(text: str) -> Any:
    try:
        import yaml

        from aware_agent.strict_yaml import StrictLoader
    except ImportError as error:
        raise InvalidInput("it is not JSON, and YAML is not installed here", hint="pip install pyyaml") from error
    try:
        return yaml.load(text, StrictLoader)  # noqa: S506 - a SafeLoader that takes less
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"it is not YAML: {' '.join(str(error).split())}") from error
    except ValueError as error:  # a number of thousands of digits, the 31st of February
        raise InvalidInput(f"it is not YAML: a value in it cannot be read: {str(error).partition(';')[0]}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise InvalidInput(f"key {twice!r:.80} is there twice", hint="only one of them would count")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")
