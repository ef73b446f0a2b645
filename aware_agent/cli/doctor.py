"""``aware doctor``: what is wrong with this machine, an agent's host or a colony, and what to do about it."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from aware_agent.cli.options import ContextOption, JsonOption
from aware_agent.cli.output import clean, console, print_json, say

if TYPE_CHECKING:
    from aware_agent.cli.context import Context
    from aware_agent.colony.errors import AwareError
    from aware_agent.colony.finding import Finding

CONFIG = Path("/etc/aware/agent.toml")  # where the role agent writes it
_STYLES = {"ok": "green", "warn": "yellow", "error": "bold red", "skipped": "dim"}


class Scope(StrEnum):
    """What is looked at."""

    CONTROLLER = "controller"
    NODE = "node"
    COLONY = "colony"


def doctor(
    scopes: Annotated[
        list[Scope] | None,
        typer.Argument(
            metavar="[controller|node|colony]...",
            help="This machine; the host of an agent, which is this one; all of a colony. Default: what there is here.",
            show_default=False,
        ),
    ] = None,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help=f"Settings of the agent of this host. Default: {CONFIG}."),
    ] = None,
    ask_nodes: Annotated[
        bool,
        typer.Option(
            "--ask-nodes", help="Also have every node tell of its own host: needs role admin, and is an event for each."
        ),
    ] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FILE", help="Also write an archive for support, without secrets; FILE must not exist."
        ),
    ] = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check what commonly goes wrong, and say what to do about each finding.

    Nothing is changed. Every check is bounded in time; one that cannot look is skipped and says why. Exit codes: 0
    nothing is broken (warnings may be there), 27 a check found an error.
    """
    from aware_agent.colony.finding import counts

    if bundle is not None:
        _check_new(bundle)
    found = _examine(scopes or [], config, context, ask_nodes=ask_nodes)
    findings = found.findings
    if bundle is not None:
        from aware_agent.cli.doctor_bundle import write_bundle

        write_bundle(bundle, findings, found.context, found.config, found.nodes)
    number = counts(findings)
    if as_json:
        from aware_agent import __version__

        print_json({"version": __version__, "at": time.time(), "counts": number, "findings": findings})
    else:
        _show(findings)
        say("")
        say(", ".join(f"{many} {level}" for level, many in number.items()))
        if bundle is not None:
            say(f"written to {bundle}; names, addresses and users are still in it: read it before you send it")
    if number["error"]:
        from aware_agent.cli.errors import Unwell

        raise Unwell(f"{number['error']} of {len(findings)} findings are errors", hint="each says what to do")


class _Examined(NamedTuple):
    """``nodes``: what nodes told when they were asked."""

    findings: list[Finding]
    context: Context | None
    config: Path | None
    nodes: dict[str, dict[str, Any]]


def _examine(scopes: list[Scope], config: Path | None, context: Path | None, *, ask_nodes: bool) -> _Examined:
    """The findings of every scope that is wanted, or that there is here when none is named."""
    from aware_agent.cli.doctor_run import run_checks

    loaded, trouble = _context(context)
    settings = _config(config, scopes)
    findings: list[Finding] = []
    nodes: dict[str, dict[str, Any]] = {}
    if Scope.CONTROLLER in scopes or not scopes:
        from aware_agent.cli import doctor_controller

        needed = bool(scopes) or settings is None or context is not None
        sight = doctor_controller.Controller(loaded, trouble, needed=needed)
        findings += run_checks(Scope.CONTROLLER.value, sight, doctor_controller.CHECKS)
    if settings is not None:
        from aware_agent.cli import doctor_node

        findings += run_checks(Scope.NODE.value, doctor_node.Node(settings), doctor_node.CHECKS)
    if Scope.COLONY in scopes or (not scopes and loaded is not None):
        from aware_agent.cli import doctor_colony

        if loaded is None:
            assert trouble is not None
            raise trouble
        colony = doctor_colony.Colony(loaded, ask_nodes=ask_nodes)
        findings += run_checks(Scope.COLONY.value, colony, doctor_colony.CHECKS)
        nodes = colony.told()
    return _Examined(findings, loaded, settings, nodes)


def _config(config: Path | None, scopes: list[Scope]) -> Path | None:
    """Settings of the agent to look at; None when no agent's host is to be looked at."""
    if config is not None or Scope.NODE in scopes:
        return (config or CONFIG).absolute()
    return CONFIG if not scopes and CONFIG.exists() else None


def _context(option: Path | None) -> tuple[Context | None, AwareError | None]:
    from aware_agent.cli.context import load_context
    from aware_agent.colony.errors import AwareError

    try:
        return load_context(option), None
    except AwareError as error:
        return None, error


def _check_new(path: Path) -> None:
    """Raise before anything is looked at, not after: it takes a minute."""
    from aware_agent.cli.errors import FileTrouble
    from aware_agent.colony.errors import Conflict

    if path.exists():
        raise Conflict(f"{path} is there already and was left alone", hint="name another file")
    if not path.absolute().parent.is_dir():
        raise FileTrouble(f"cannot write {path}: there is no such directory")


def _show(findings: list[Finding]) -> None:
    """A block for each scope, in the order of the checks."""
    from rich.text import Text

    out, scope = console(), ""
    for one in findings:
        if one.scope != scope:
            if scope:
                say("")
            say(one.scope)
            scope = one.scope
        if out.is_terminal:
            out.print(Text.assemble((f"  {one.level:<9}", _STYLES[one.level]), f"{one.check:<14}", clean(one.message)))
        else:
            say(f"  {one.level:<9}{one.check:<14}{one.message}")
        if one.to_do:
            say(f"{'':25}-> {one.to_do}")
