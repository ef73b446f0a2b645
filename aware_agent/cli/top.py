"""``aware top``: the colony live in a terminal. It only reads.

Drawn with Rich alone, which every table needs anyway. Textual, by the same hands, takes four times as long to load and
three more packages, for widgets that a page without input has no use for.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aware_agent.cli.options import NUMBER, ContextOption, gateway, number
from aware_agent.colony.errors import InvalidInput

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from aware_agent.cli.top_feed import Feed
    from aware_agent.cli.top_view import Choice, Sight

FRAME_S = 0.25  # between two frames when nobody presses a key
_PAGE = 10
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -_PAGE, "page down": _PAGE, "home": -1_000_000}
_TOGGLES = {"h": "helping", "?": "helping", " ": "paused", "t": "trouble_only", "e": "events_first"}
_KEY = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|O.)|.", re.DOTALL)
_SEQUENCES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x1b[1~": "home",
}


def top(
    interval: Annotated[
        float,
        typer.Option(
            parser=number(0.2, 3600.0), metavar=NUMBER, help="Seconds between two looks; events come at once."
        ),
    ] = 1.0,
    context: ContextOption = None,
) -> None:
    """Watch the colony: queen, council, castes, nodes and events as they come. Keys: h shows them, q leaves."""
    _check_terminal()
    from aware_agent.cli.top_feed import Feed

    feed = Feed(lambda: gateway(context), interval)
    feed.start()
    _show(feed)


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidInput(
            "aware top draws on a terminal, and there is none",
            hint="aware status, or aware events --follow, can be used in pipes",
        )
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        raise InvalidInput(
            "this terminal (TERM) cannot be drawn on", hint="aware status, or aware events --follow, need less"
        )


def _show(feed: Feed) -> None:
    """Draw until somebody leaves."""
    from aware_agent.cli.top_view import Choice, frame

    choice, still = Choice(), None
    with _screen() as (live, between_frames):
        while True:
            sight = still or feed.sight()
            width, height = os.get_terminal_size(sys.stdout.fileno())
            live.console.size = (width, height)
            _draw(live, frame(sight, choice, width, height, time.time()))
            for key in _keys(FRAME_S):
                if key == "q":
                    return
                choice = _pressed(key, choice, sight)
            still = (still or sight) if choice.paused else None
            between_frames()


def _draw(live: Live, lines: Sequence[Text]) -> None:
    from rich.console import Group

    live.update(Group(*lines), refresh=True)


def _pressed(key: str, choice: Choice, sight: Sight) -> Choice:
    """What is wanted after a key; most keys mean nothing."""
    from aware_agent.cli.top_view import Sort, shown_nodes

    if key in _TOGGLES:
        field = _TOGGLES[key]
        toggled: dict[str, Any] = {field: not getattr(choice, field)}
        return choice._replace(**toggled)
    if key == "s":
        order = list(Sort)
        return choice._replace(sort=order[(order.index(choice.sort) + 1) % len(order)], offset=0)
    last = max(0, len(shown_nodes(sight, choice)) - 1)
    return choice._replace(offset=max(0, min(last, choice.offset + _STEPS.get(key, 0))))


# The terminal ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _screen() -> Iterator[tuple[Live, Callable[[], None]]]:
    """The whole screen, keys as they are pressed; all is as before at the end, whatever ends it.

    What comes with it is to be called between frames: Ctrl-Z is obeyed there.
    """
    from rich.live import Live

    from aware_agent.cli.output import console

    before = termios.tcgetattr(sys.stdin)
    ends = {one: signal.signal(one, _end) for one in (signal.SIGTERM, signal.SIGHUP)}
    live = Live(console=console(), screen=True, auto_refresh=False, vertical_overflow="crop")
    asked: list[int] = []
    stops = signal.signal(signal.SIGTSTP, lambda one, _: asked.append(one))  # not in the middle of a frame

    def between_frames() -> None:
        if asked:
            asked.clear()
            _stand_aside(live, before)

    try:
        tty.setcbreak(sys.stdin)
        with live:
            yield live, between_frames
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        for one, handler in {**ends, signal.SIGTSTP: stops}.items():
            signal.signal(one, handler)


def _end(number: int, _: FrameType | None) -> None:
    raise typer.Exit(128 + number)


def _stand_aside(live: Live, before: list[object]) -> None:
    """Ctrl-Z: the shell gets its terminal as it was; ``fg`` brings the screen back."""
    live.stop()
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)  # type: ignore[arg-type]
    os.kill(os.getpid(), signal.SIGSTOP)
    tty.setcbreak(sys.stdin)
    live.start()


def _keys(wait_s: float) -> list[str]:
    """The keys that were pressed, waiting for the first one at most so long; ``q`` when the terminal is gone."""
    descriptor = sys.stdin.fileno()
    if not select.select([descriptor], [], [], wait_s)[0]:
        return []
    try:
        raw = os.read(descriptor, 64)
    except OSError:
        raw = b""
    if not raw:
        return ["q"]
    return [_SEQUENCES.get(key, key) for key in _KEY.findall(raw.decode("ascii", "replace"))]
