"""``aware demo``: a whole colony on this machine, started and stopped by Ansible."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.options import NUMBER, JsonOption, number
from aware_agent.cli.output import print_json, print_table, say
from aware_agent.cli.relay import run_relayed
from aware_agent.colony.errors import AwareError, Conflict

if TYPE_CHECKING:
    from aware_agent.cli.checkout import Checkout
    from aware_agent.cli.client import Gateway

app = typer.Typer(help="A whole colony on this machine.", no_args_is_help=True)

NEXT = """\
try next:
  {aware} events --follow    watch what happens (in another terminal)
  {aware} demo kill-queen    kill -9 the queen and see the heir take over
  {aware} status             who is there, who reigns
  make demo        bring the killed node back; or first edit inventories/local/cluster.yml and get what it says
  make demo-down   stop; nothing is left behind"""


class StepFailed(AwareError):
    """A program the demo runs ended with an error; it has said why."""

    code = "step-failed"


@app.command("up")
def up() -> None:
    """Start the demo, or bring it to what inventories/local/cluster.yml says; then show it."""
    from aware_agent.cli.checkout import find_checkout
    from aware_agent.cli.demo_state import forget_played, is_settled, note_played
    from aware_agent.cli.specfile import read_spec
    from aware_agent.cli.status import show_status

    checkout = find_checkout()
    if is_settled(checkout):
        say("nothing to do: the demo is as inventories/local wants it")
        show_status(checkout.context_file)
        _farewell(checkout)
        return
    read_spec(checkout.root / "inventories" / "local" / "cluster.yml")  # Ansible tells of a broken one in ten lines
    began = time.monotonic()
    forget_played(checkout)
    _play(checkout, "playbooks/site.yml")
    note_played(checkout)
    _title(f"the colony, {time.monotonic() - began:.0f} s later: aware status")
    show_status(checkout.context_file)
    inventory = str(checkout.root / "inventories" / "aware.yml")
    _title("who is who, read from the queen: ansible-inventory -i inventories/aware.yml --graph")
    _run(checkout, "ansible-inventory", "-i", inventory, "--graph")
    # The nodes of a demo are processes of this machine: there is no ssh to them.
    _title("Ansible over that inventory: ansible all -i inventories/aware.yml -c local -m ansible.builtin.ping")
    _run(checkout, "ansible", "all", "-i", inventory, "-m", "ansible.builtin.ping")
    _farewell(checkout)


def _farewell(checkout: Checkout) -> None:
    """Where to look, and what to try next."""
    say("")
    say(f"dashboard: {_queen_url(checkout)}/  user admin, password in {_short(checkout, 'admin.password')}")
    for line in NEXT.format(aware=_aware(checkout)).splitlines():
        say(line)


@app.command("down")
def down() -> None:
    """Stop the demo and remove all it made."""
    from aware_agent.cli.checkout import find_checkout

    checkout = find_checkout()
    if not checkout.demo.exists():
        say("no demo here; nothing to do")
        return
    # Not by the inventory: whatever somebody wrote there meanwhile, this is the demo's place.
    place = json.dumps({"aware_provider": "local", "aware_directory": str(checkout.demo)})
    _run(checkout, "ansible-playbook", "playbooks/down.yml", "-i", "localhost,", "-e", place)
    if checkout.demo.exists():
        held = ", ".join(sorted(path.name for path in checkout.demo.iterdir())[:5])
        raise Conflict(
            f"{checkout.demo} was kept: it holds what no demo made ({held})",
            hint="move it away, or name another directory",
        )
    say("the demo is gone")


@app.command("status")
def status(as_json: JsonOption = False) -> None:
    """Show the processes of the demo; works even when no gateway answers."""
    from aware_agent.cli.checkout import find_checkout
    from aware_agent.cli.processes import agent_pid, child_pid

    checkout = find_checkout()
    rows: list[dict[str, Any]] = []
    nodes = checkout.demo / "nodes"
    for directory in sorted(nodes.iterdir()) if nodes.is_dir() else ():
        agent, etcd = agent_pid(directory), directory / "state" / "etcd"
        rows.append({"name": directory.name, "program": "agent", "pid": agent, "log": str(directory / "agent.log")})
        if (etcd / "etcd.json").exists():
            pid = child_pid(agent, "etcd") if agent else None
            rows.append({"name": directory.name, "program": "etcd", "pid": pid, "log": str(etcd / "etcd.log")})
    if as_json:
        print_json({"directory": str(checkout.demo), "processes": rows})
    elif not rows:
        say("no demo here; make demo starts one")
    else:
        table = [
            (row["name"], row["program"], "runs" if row["pid"] else "stopped", row["pid"] or "-", row["log"])
            for row in rows
        ]
        print_table(("NAME", "PROGRAM", "STATE", "PID", "LOG"), table)


@app.command("kill-queen")
def kill_queen(
    wait: Annotated[
        float, typer.Option(parser=number(1, 600), metavar=NUMBER, help="Seconds to wait for the new queen.")
    ] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Kill the queen's process with SIGKILL and tell how long it takes until a new queen answers."""
    from aware_agent.cli.checkout import find_checkout
    from aware_agent.cli.client import Gateway
    from aware_agent.cli.context import load_context
    from aware_agent.cli.processes import kill_agent

    checkout = find_checkout()
    with Gateway(load_context(checkout.context_file, environment={}), timeout_s=1.0) as client:
        old = client.get("/v1/queen").data
        pid = kill_agent(checkout.node(str(old["name"])))
        killed = time.monotonic()
        if not as_json:
            say(f"killed {old['name']} (pid {pid}, queen since term {old['term']})")
        new = wait_for_other_queen(client, int(old["term"]), wait)
        seconds = time.monotonic() - killed
    if as_json:
        print_json({"killed": old["name"], "pid": pid, "queen": new["name"], "term": new["term"], "seconds": seconds})
        return
    say(f"{new['name']} reigns since term {new['term']}: it answered {seconds:.2f} s after the kill")
    say(f"make demo brings {old['name']} back")


def wait_for_other_queen(client: Gateway, term: int, wait_s: float) -> dict[str, Any]:
    """Ask until a queen with a later term than ``term`` answers. Raises the last trouble after ``wait_s``."""
    end = time.monotonic() + wait_s
    while True:
        client.deadline_s = max(0.05, end - time.monotonic())
        queen: dict[str, Any] = client.get("/v1/queen").data
        if int(queen["term"]) > term:
            return queen
        if time.monotonic() > end:
            raise StepFailed(f"no new queen within {wait_s:g} s", hint="aware demo status; logs are in .aware/nodes")
        time.sleep(0.02)


def _play(checkout: Checkout, playbook: str) -> None:
    _run(checkout, "ansible-playbook", playbook, "-i", "inventories/local")


def _run(checkout: Checkout, tool: str, *arguments: str) -> None:
    """Run a program of the venv with our terminal. Raises :class:`StepFailed` when it fails."""
    code = run_relayed([checkout.tool(tool), *arguments], checkout.root, checkout.environment())
    if code != 0:
        raise StepFailed(f"{tool} {' '.join(arguments)} ended with {code}", hint="what it printed says why")


def _queen_url(checkout: Checkout) -> str:
    from aware_agent.cli.client import Gateway
    from aware_agent.cli.context import load_context

    with Gateway(load_context(checkout.context_file, environment={})) as client:
        return str(client.get("/v1/queen").data["url"])


def _short(checkout: Checkout, name: str) -> str:
    return str((checkout.demo / name).relative_to(checkout.root))


def _aware(checkout: Checkout) -> str:
    """How to call this command from the checkout."""
    path = Path(sys.executable).parent / "aware"
    return shlex.quote(str(path.relative_to(checkout.root) if path.is_relative_to(checkout.root) else path))


def _title(text: str) -> None:
    say("")
    say(f"== {text}")
