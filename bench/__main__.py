"""``python -m bench NAME [--quick] [--json]``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from aware_agent.program import run_program
from bench.harness import Run
from bench.report import show

BENCHES = {
    "failover": "queen falls in seven ways -> first accepted write; beside etcd's lease, keepalived, Patroni and more",
    "api": "requests per second and latency of the queen's gateway; beside a bare ASGI application",
    "crowd": "p99 of a write while strangers load the public pages; beside the same write when nobody is there",
    "members": "reads of one council member and of two, each held to a third of a core; needs root",
    "inventory": "CPU seconds of ansible-inventory; beside ansible-core's own sources and openstack.cloud",
    "provision": "until n servers of the test cloud are ACTIVE; beside one request to Nova and openstack.cloud.server",
    "footprint": "memory and CPU of a quiet queen, heir and worker; beside Serf",
    "channel": "CPU and memory of a member that holds 1,000 channels; beside a bare websockets echo server",
    "chaos": "faults in a row while clients write: is the history linearizable, and how long could nobody write",
    "steady": "a colony under loss, starvation and a crowd: does any reign end, though nothing falls",
    "elastic": "castes that scale on load curves; beside the rules of Kubernetes' HPA and of Heat with Aodh",
    "plot": "no benchmark: draws what chaos, steady, failover, formation and elastic wrote, as SVG",
    "formation": "from the last start until all see all; beside Serf",
}


def main(argv: Sequence[str] | None = None) -> int:
    """0: measured, skips included; 1: a measurement failed; 2: wrong usage; 130: interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--list" in arguments:
        for name, text in BENCHES.items():
            print(f"{name:10} {text}")
        return 0
    name, module = _choose(arguments)
    options = _parser(name, module).parse_args(arguments)
    run = Run(name, quick=options.quick, as_json=options.json, without=options.without)
    try:
        asyncio.run(_interruptible(module, run, options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted; what ran was ended", file=sys.stderr)
        return 130
    except Exception as error:
        print(f"bench {name}: error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.json:
            show(run)
    return 0


def _choose(arguments: Sequence[str]) -> tuple[str, ModuleType | None]:
    """The benchmark's module is loaded only when it is asked for: each needs other packages."""
    name = next((a for a in arguments if a in BENCHES), "")
    return name, importlib.import_module(f"bench.{name}") if name else None


def _parser(name: str, module: ModuleType | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures of AWARE beside those of peers.")
    parser.add_argument("--list", action="store_true", help="list the benchmarks and exit")
    parser.add_argument("name", choices=list(BENCHES), metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter measurements")
    parser.add_argument("--json", action="store_true", help="one JSON line for each measurement on stdout")
    parser.add_argument("--without", action="append", default=[], metavar="PEER", help="leave a peer out; repeatable")
    if module is not None:
        module.add_arguments(parser.add_argument_group(f"options of {name}"))
    return parser


async def _interruptible(module: ModuleType | None, run: Run, options: argparse.Namespace) -> None:
    """SIGTERM unwinds as Ctrl-C does, so that everything started is ended."""
    task = asyncio.current_task()
    assert task is not None
    assert module is not None
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await module.measure(run, options)


if __name__ == "__main__":
    sys.exit(run_program(main, name="bench"))
