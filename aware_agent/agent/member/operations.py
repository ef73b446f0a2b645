"""What jobs this member could run: the files of ``operations.d``, Ansible, and what keeps a playbook confined.

A file that is wrong is skipped and reported, and so is one that others than its owner may write: whoever can write it
chooses what the queen runs. All of it is looked at again now and then, in a thread, for files come and go.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from aware_agent.agent.member import confine
from aware_agent.agent.settings import JobSettings
from aware_agent.colony.errors import AwareError, InvalidInput, one_line
from aware_agent.colony.node import MAX_OPERATIONS, JobsReport
from aware_agent.colony.operation import BUILT_IN, MAX_FILE_BYTES, Operation, Problem, operation_of
from aware_agent.security.regular import read_regular
from aware_agent.strict_yaml import StrictLoader

log = logging.getLogger(__name__)

LOOK_S = 10.0
INSTALL = "pip install 'aware-agent[runner]' on every node that may reign"
_NEEDED = ("ansible_runner", "ansible", "jsonschema")
_SUFFIX = ".yml"  # of a file of operations; a playbook beside it lies in a directory of its own, or ends in .yaml


class RunnerMissing(AwareError):
    """The operation needs a playbook, and this node has nothing that runs one."""

    code = "runner-missing"
    exit_code = 10
    status = 501


class Found(NamedTuple):
    """Everything a look finds."""

    operations: tuple[Operation, ...] = ()
    problems: tuple[Problem, ...] = ()
    report: JobsReport = JobsReport()


class MemberOperations:
    """Looks every :data:`LOOK_S`; ``changed`` is called when it found something else than before."""

    def __init__(self, settings: JobSettings, changed: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self.changed = changed
        self.listeners: list[Callable[[], None]] = []
        self.found = Found()

    async def run(self) -> None:
        """A duty: look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look now."""
        found = await asyncio.to_thread(look, self._settings)
        if found == self.found:
            return
        for problem in set(found.problems) - set(self.found.problems):
            log.warning("operation file %s is skipped: %s", problem.file, problem.message)
        self.found = found
        for tell in (self.changed, *self.listeners):
            tell()

    def require_runner(self, operation: Operation) -> None:
        """Raise :class:`RunnerMissing` or Unconfined unless a playbook can be run here."""
        if not operation.playbook:
            return
        missing = missing_parts()
        if missing:
            raise RunnerMissing(
                f"{operation.name} runs a playbook, and the queen's node has no {', '.join(missing)}", hint=INSTALL
            )
        confine.describe(self._settings.user)


def missing_parts() -> list[str]:
    """Packages that a playbook needs and this node has not; none of them is loaded."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def look(settings: JobSettings) -> Found:
    """Read the directory and ask what is installed. Blocking."""
    operations, problems = read_operations(Path(settings.operations_dir))
    return Found(operations, problems, _report(settings, operations))


def _report(settings: JobSettings, operations: tuple[Operation, ...]) -> JobsReport:
    problem, confined = "", ""
    missing = missing_parts()
    if missing:
        problem = f"{', '.join(missing)} is missing: {INSTALL}"
    try:
        confined = confine.describe(settings.user)
    except AwareError as error:
        problem = problem or str(error)
    return JobsReport(
        runner=_version("ansible-runner"),
        ansible=_version("ansible-core"),
        confined=confined,
        problem=problem,
        operations={operation.name: operation.digest for operation in operations},
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def read_operations(directory: Path) -> tuple[tuple[Operation, ...], tuple[Problem, ...]]:
    """Operations by their files, in the order of their names, and what is wrong with the others."""
    found: dict[str, Operation] = {}
    problems = []
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        return (), (Problem(file=str(directory), message=f"cannot be read: {error.strerror}"),)
    for path in paths:
        try:
            if len(found) >= MAX_OPERATIONS:
                raise InvalidInput(f"there are more than {MAX_OPERATIONS} operations")
            found[path.stem] = _read(path)
        except AwareError as error:
            problems.append(Problem(file=str(path), message=one_line(str(error))))
        except OSError as error:
            problems.append(Problem(file=str(path), message=f"cannot be read: {error.strerror}"))
    return tuple(found.values()), tuple(problems[:MAX_OPERATIONS])


def _read(path: Path) -> Operation:
    """One file. Raises InvalidInput, OSError."""
    _require_trusted(path)
    raw = read_regular(path, most=MAX_FILE_BYTES)
    try:
        document = yaml.load(raw, StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise InvalidInput(f"it is not YAML: {one_line(str(error))}") from error
    except RecursionError:
        raise InvalidInput("it is nested too deeply") from None
    digest = hashlib.sha256(raw).hexdigest()[:12]
    operation = operation_of(path.stem, document, file=str(path), directory=str(path.parent), digest=digest)
    if operation.name in BUILT_IN:
        raise InvalidInput(f"{operation.name} comes with AWARE", hint="choose another name")
    check_schema(operation.parameters)
    playbook = Path(operation.playbook)
    if not playbook.is_file():
        raise InvalidInput(f"there is no playbook {playbook}")
    _require_trusted(playbook)
    return operation


def _require_trusted(path: Path) -> None:
    """Raise InvalidInput for what somebody else than root or the agent's user may write."""
    for one in (path, path.parent):
        known = one.stat()
        sticky = stat.S_ISDIR(known.st_mode) and known.st_mode & stat.S_ISVTX
        if known.st_uid not in (0, os.geteuid()) or (known.st_mode & 0o022 and not sticky):
            raise InvalidInput(
                f"others than its owner may write {one}, or it is of another user",
                hint=f"chown root {one}; chmod go-w {one}",
            )


def check_schema(schema: dict[str, Any]) -> None:
    """Raise InvalidInput for what is no JSON Schema. Nothing is loaded for one that names no parameter."""
    if not schema.get("properties"):
        return
    if importlib.util.find_spec("jsonschema") is None:
        raise InvalidInput("its parameters cannot be checked: jsonschema is not installed", hint=INSTALL)
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        raise InvalidInput(f"parameters are no JSON Schema: {one_line(error.message)[:200]}", field=where) from error


def check_parameters(operation: Operation, given: dict[str, Any]) -> None:
    """Raise InvalidInput that names the parameter unless the schema allows ``given``. Never shows a secret."""
    unknown = sorted(set(given) - set(operation.properties))
    if unknown:
        takes = ", ".join(operation.properties) or "none"
        raise InvalidInput(
            f"{operation.name} has no parameter {unknown[0][:60]!r}",
            field=f"parameters.{unknown[0][:60]}",
            hint=f"it takes {takes}",
        )
    if not operation.properties:
        return
    import jsonschema
    import referencing

    # An empty registry: a schema refers to itself at most, and nothing is fetched.
    validator = jsonschema.Draft202012Validator(operation.parameters, registry=referencing.Registry())
    try:
        error = next(iter(validator.iter_errors(given)), None)
    except referencing.exceptions.Unresolvable as unresolvable:
        raise InvalidInput(f"the schema of {operation.name} refers to nothing: {unresolvable}") from unresolvable
    if error is None:
        return
    path = [str(part) for part in error.absolute_path]
    said = "it is not what the schema allows" if path and path[0] in operation.secrets else one_line(error.message)
    raise InvalidInput(f"parameter {'.'.join(path) or 'missing'}: {said[:300]}", field=".".join(["parameters", *path]))
