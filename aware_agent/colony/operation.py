"""What a job can run: the table of operations, those that come with AWARE and those that admins add. Pure.

A caller chooses a name out of this table and gives parameters that its schema allows; nothing else of a job is his
choice. An admin adds an operation by a file on the hosts of the council, ``operations.d/NAME.yml``.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import Kind, is_name
from aware_agent.colony.plain_words import in_words

MAX_FILE_BYTES = 16 * 1024
BUILT_IN = frozenset({"scale", "join", "verify"})  # come with AWARE; no file may be called so
TIME_LIMIT_S = (1.0, 86400.0)
CONCURRENCY = (1, 16)
MAX_USES = 8
SECRET_LENGTH = (4, 4096)  # shorter ones cannot be told from ordinary text, so nobody could mask them
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_RESERVED = ("ansible_", "aware_")  # what steers Ansible, and what a job is told by us
_MEMBERS = frozenset({"type", "properties", "required", "additionalProperties", "title", "description", "$defs"})

Needed = Literal["operator", "admin", "security-admin"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    description: str = ""
    playbook: str = ""  # absolute path on the member that runs it; empty: built in
    parameters: dict[str, Any] = {}  # JSON Schema (2020-12) of an object; ``writeOnly`` marks a secret
    role: Needed = "operator"  # the least role that may run it
    time_limit_s: float = 600.0  # of one attempt
    concurrency: int = 1  # so many jobs of its group may run at once; others queue
    group: str = ""  # operations of one group count together; default: the operation's own name
    castes: tuple[str, ...] = ()  # it may touch nodes of these castes only; empty: all nodes
    uses: tuple[str, ...] = ()  # names of the colony's secrets that its process is given
    idempotent: bool = False  # it may be started again when the queen fell in the middle
    file: str = ""  # where it was read; empty: it comes with AWARE
    digest: str = ""  # of that file: tells whether members have the same

    @property
    def lane(self) -> str:
        """The group whose jobs count together."""
        return self.group or self.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the parameters nobody is shown."""
        found = (name for name, schema in self.properties.items() if isinstance(schema, dict))
        return tuple(name for name in found if self.properties[name].get("writeOnly") is True)

    @property
    def properties(self) -> dict[str, Any]:
        """The schemas of the parameters by name."""
        properties = self.parameters.get("properties", {})
        return properties if isinstance(properties, dict) else {}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A file of ``operations.d`` that was skipped, and why."""

    file: str
    message: str


class OperationsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The table of the queen of ``term`` as she keeps it in ``operations``, for every gateway to show."""

    term: int
    node: str  # name of the queen's node, whose files these are
    read_at: float  # Unix seconds
    operations: tuple[Operation, ...]
    problems: tuple[Problem, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of ``operations.d`` may say."""

    playbook: str
    description: str = ""
    parameters: dict[str, Any] = {}
    role: Needed = "operator"
    time_limit_s: float = 600.0
    concurrency: int = 1
    group: str = ""
    castes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    idempotent: bool = False


def operation_of(name: str, document: object, *, file: str, directory: str, digest: str) -> Operation:
    """The operation a file describes. ``directory``: where a relative playbook lies. Raises :class:`InvalidInput`."""
    if not _NAME.match(name):
        raise InvalidInput(
            f"{name[:60]!r} is no name of an operation", hint="a letter, then at most 39 of a-z, 0-9 and -; then .yml"
        )
    try:
        said = from_plain(document, _File)
    except msgspec.ValidationError as error:
        raise InvalidInput(in_words(error).message, hint="see docs/jobs.md") from error
    except UNDECODABLE as error:
        raise InvalidInput(str(error), hint="see docs/jobs.md") from error
    _check(said)
    playbook = said.playbook if said.playbook.startswith("/") else f"{directory}/{said.playbook}"
    values = {**msgspec.structs.asdict(said), "playbook": playbook, "parameters": closed(said.parameters)}
    return Operation(name=name, file=file, digest=digest, **values)


def is_secret_name(name: str) -> bool:
    """Whether a secret of the colony may be called so."""
    return _NAME.match(name) is not None


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` as it is used: of an object, and no parameter that it does not name."""
    return {**schema, "type": "object", "additionalProperties": False}


def _check(said: _File) -> None:
    if not said.playbook.endswith((".yml", ".yaml")) or "\0" in said.playbook:
        raise InvalidInput("playbook is not the path of a YAML file", field="playbook")
    if not TIME_LIMIT_S[0] <= said.time_limit_s <= TIME_LIMIT_S[1]:
        raise InvalidInput(
            f"time_limit_s {said.time_limit_s:g} is out of range", hint="{:g} to {:g} seconds".format(*TIME_LIMIT_S)
        )
    if not CONCURRENCY[0] <= said.concurrency <= CONCURRENCY[1]:
        raise InvalidInput(f"concurrency {said.concurrency} is out of range", hint="{} to {}".format(*CONCURRENCY))
    if said.group and not _NAME.match(said.group):
        raise InvalidInput(f"{said.group[:60]!r} is no name of a group")
    for caste in said.castes:
        if not is_name(Kind.CASTE, caste):
            raise InvalidInput(f"{caste[:60]!r} is no name of a caste", field="castes")
    if len(said.uses) > MAX_USES or len(set(said.uses)) != len(said.uses):
        raise InvalidInput(f"uses names a secret twice, or more than {MAX_USES}", field="uses")
    for name in said.uses:
        if not is_secret_name(name):
            raise InvalidInput(f"{name[:60]!r} is no name of a secret", field="uses", hint="aware secret list")
    if len(said.description) > 500 or not said.description.isprintable():
        raise InvalidInput("description is not one line of at most 500 characters", field="description")
    _check_parameters(said.parameters)


def _check_parameters(schema: dict[str, Any]) -> None:
    """That the schema says what we can keep: names that steer nothing, and secrets that can be masked."""
    unknown = sorted(set(schema) - _MEMBERS)
    if unknown:
        raise InvalidInput(f"parameters has a member {unknown[0][:60]!r}", hint=", ".join(sorted(_MEMBERS)))
    if schema.get("type", "object") != "object" or schema.get("additionalProperties", False) is not False:
        raise InvalidInput(
            "parameters are an object without additionalProperties", hint="name every parameter under properties"
        )
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise InvalidInput("parameters.properties is no mapping")
    for name, one in properties.items():
        if not isinstance(name, str) or not _PARAMETER.match(name) or name.startswith(_RESERVED):
            raise InvalidInput(
                f"{str(name)[:60]!r} cannot be a parameter",
                hint="a-z, 0-9 and _, a letter first, and neither ansible_ nor aware_",
            )
        if isinstance(one, dict) and one.get("writeOnly") and one.get("type") != "string":
            raise InvalidInput(f"parameter {name} is writeOnly and no string", hint="a secret is a string")


def with_defaults(operation: Operation, given: dict[str, Any]) -> dict[str, Any]:
    """``given`` and what the schema has for parameters that were left out."""
    defaults = {
        name: schema["default"]
        for name, schema in operation.properties.items()
        if isinstance(schema, dict) and "default" in schema
    }
    return {**defaults, **given}


def check_secrets(operation: Operation, given: dict[str, Any]) -> None:
    """Raise :class:`InvalidInput` for a secret that could not be masked in a log. The text never shows it."""
    for name in operation.secrets:
        value = given.get(name)
        if isinstance(value, str) and not SECRET_LENGTH[0] <= len(value.strip()) <= SECRET_LENGTH[1]:
            raise InvalidInput(
                f"secret parameter {name} has a length that cannot be masked",
                field=f"parameters.{name}",
                hint="{} to {} characters".format(*SECRET_LENGTH),
            )
