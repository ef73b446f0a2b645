"""Settings that come from the environment: ``AWARE_A__B=value`` stands for field ``b`` of section ``a``.

A variable that only looks like one of these would be overlooked without a word, so it is refused. Others that begin
with ``AWARE_`` are somebody else's: the command line, tests and a person's own scripts have theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.plain_words import in_words

PREFIX = "AWARE_"
_LABELS = dict[str, str]
_SERVICE = ("tcp://", "udp://")  # Kubernetes sets AWARE_GATEWAY_PORT for a service called aware-gateway


def is_section(kind: Any) -> bool:
    """Whether a field's type is a section of settings."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def overlay(document: dict[str, Any], environment: Mapping[str, str], settings: type[msgspec.Struct]) -> None:
    """Put what ``environment`` says over ``document``. Raises :class:`InvalidInput` that names the variable."""
    variables = dict(_variables(settings))
    for name, (section, field, kind) in variables.items():
        if name not in environment:
            continue
        value = _parse(name, environment[name], kind)
        if section:
            document.setdefault(section, {})[field] = value
        else:
            document[field] = value
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in variables and not environment[name].startswith(_SERVICE):
            _refuse_slip(name, variables)


def _variables(settings: type[msgspec.Struct]) -> Iterable[tuple[str, tuple[str, str, Any]]]:
    for field in msgspec.structs.fields(settings):
        name = f"{PREFIX}{field.name.upper()}"
        if is_section(field.type):
            for inner in msgspec.structs.fields(field.type):
                yield f"{name}__{inner.name.upper()}", (field.name, inner.name, inner.type)
        else:
            yield name, ("", field.name, field.type)


def _refuse_slip(name: str, variables: Iterable[str]) -> None:
    """Raise :class:`InvalidInput` for a variable that was meant as one of ``variables``."""
    meant = next((known for known in variables if known.replace("__", "_") == name.replace("__", "_")), "")
    if not meant:
        import difflib  # rarely needed, and a worker should stay small

        meant = next(iter(difflib.get_close_matches(name, list(variables), n=1, cutoff=0.9)), "")
    if meant or "__" in name:
        raise InvalidInput(
            f"environment variable {name} is no setting", hint=f"{meant}?" if meant else "see docs/settings.md"
        )


def _parse(name: str, value: str, kind: Any) -> Any:
    """The text of a variable as what the field wants; only here may a number come as text."""
    if kind == _LABELS:
        pairs = [pair.strip().split("=", 1) for pair in value.split(",") if pair.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise InvalidInput(f"{name} is not understood", hint="KEY=VALUE,KEY=VALUE")
        if len({key for key, _ in pairs}) != len(pairs):
            raise InvalidInput(f"{name} names a label twice", hint="KEY=VALUE,KEY=VALUE")
        return dict(pairs)
    if str(kind).startswith("tuple"):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return from_plain(value, kind, strict=False)
    # Numbers of thousands of digits are refused by Python.
    except ValueError as error:
        said = in_words(error).message if isinstance(error, msgspec.ValidationError) else "not a usable number"
        raise InvalidInput(f"{name}: {said}", hint="see docs/settings.md") from error
