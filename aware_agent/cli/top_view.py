"""One frame of ``aware top``: lines of text from what is known, for a screen of any size. No terminal, no network."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple, TypedDict

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from aware_agent.cli.output import STYLES, ago, clean

LEAST = (40, 10)  # columns and lines; below it there is nothing to arrange
_RANK = {"queen": 0, "heir": 1, "member": 2, "worker": 3}
_MOST_CASTES = 5
HELP = (
    "q        leave",
    "space    stand still, and go on",
    "arrows   scroll the nodes; also j and k, Page Up and Page Down, Home",
    "s        sort the nodes by role, name, status or caste",
    "t        only nodes that are not ready, or do less than they could",
    "e        more room for events, or for nodes",
    "h ?      this, and back",
    "Nothing here changes the colony.",
)


# Of answers and events what a frame needs. Whoever reads them checks them against this.


class Name(TypedDict):
    """Somebody."""

    name: str


class Queen(TypedDict):
    """Who reigns, since when (Unix seconds)."""

    name: str
    term: int
    since: float


class Caste(TypedDict):
    """Who serves, and how many are missing."""

    name: str
    wanted: int
    missing: int
    assigned: list[str]


class Cluster(TypedDict):
    """``/v1/cluster``."""

    colony: str
    revision: int
    term: int
    status: str
    reason: str
    queen: Queen | None
    heir: Name | None
    size: dict[str, int]
    castes: list[Caste]


class Node(TypedDict):
    """One of ``/v1/nodes``."""

    name: str
    role: str
    status: str
    status_since: float
    caste: str
    cordoned: bool
    drained: bool
    address: str


class Seat(TypedDict):
    """A member of etcd that the colony keeps."""

    name: str
    healthy: bool
    learner: bool
    leads: bool


class Council(TypedDict):
    """``/v1/council/members``; without members etcd is kept by its operators."""

    members: list[Seat]
    trouble: str


class Event(TypedDict):
    """One line of the history; ``time`` in Unix seconds."""

    id: str
    revision: int
    time: float
    type: str
    severity: str
    message: str


class Sort(Enum):
    """By what nodes are sorted."""

    ROLE = "role"
    NAME = "name"
    STATUS = "status"
    CASTE = "caste"


class Change(NamedTuple):
    """Another queen, as it was seen from here."""

    at: float  # Unix seconds
    old: str  # her name; "" when there was none
    new: str
    term: int
    within_s: float  # from the last answer that named the old one


class Sight(NamedTuple):
    """What is known of the colony at one moment."""

    cluster: Cluster
    nodes: Sequence[Node]
    council: Council
    events: Sequence[Event] = ()
    changes: Sequence[Change] = ()
    trouble: str = ""  # why there is no newer answer, or no events
    at: float = 0.0  # of the last answer, Unix seconds
    fresh_s: float = 3.0  # what is older says so


class Choice(NamedTuple):
    """What the person at the keyboard wants to see."""

    sort: Sort = Sort.ROLE
    offset: int = 0  # first node shown
    trouble_only: bool = False
    paused: bool = False
    events_first: bool = False
    helping: bool = False


def frame(sight: Sight, choice: Choice, width: int, height: int, now: float) -> list[Text]:
    """At most ``height`` lines, none wider than ``width`` cells."""
    if width < LEAST[0] or height < LEAST[1]:
        return [_cut(Text(f"aware top needs {LEAST[0]} x {LEAST[1]}, this is {width} x {height}"), width)][:height]
    head = _head(sight, now)
    if choice.helping:
        body = [Text(""), *(Text(line) for line in HELP)]
    else:
        body = _body(sight, choice, width, height - len(head) - 1, now)
    lines = [*head, *body][: height - 1]
    lines += [Text("")] * (height - 1 - len(lines))
    return [_cut(line, width) for line in [*lines, _foot(sight, choice, now)]]


def shown_nodes(sight: Sight, choice: Choice) -> list[Node]:
    """The nodes a person chose, in their order."""
    chosen = [node for node in sight.nodes if not choice.trouble_only or _lacks(node)]
    return sorted(chosen, key=lambda node: _key(node, choice.sort))


# Head and foot ---------------------------------------------------------------------------------------------------


def _head(sight: Sight, now: float) -> list[Text]:
    cluster = sight.cluster
    size, status = cluster["size"], clean(cluster["status"])
    counts = ", ".join(f"{size[word]} {word}" for word in ("ready", "suspect", "dead", "left") if size.get(word))
    first = Text("colony ")
    first.append(clean(cluster["colony"]), style="bold")
    first.append("  ")
    first.append(status, style=STYLES.get(status, ""))
    first.append(f"  {counts or 'no nodes'} of {size.get('wanted', '?')} wanted")
    first.append(f"  term {cluster.get('term', '?')}  revision {cluster.get('revision', '?')}")
    lines = [first, _reign(sight, now), _council(sight)]
    if status != "healthy" and (reason := clean(cluster["reason"])):
        lines.append(Text(reason, style="yellow"))
    if trouble := clean(sight.council["trouble"]):
        lines.append(Text(trouble, style="yellow"))
    if sight.changes:
        lines.append(_change(sight.changes[-1], len(sight.changes), now))
    return lines


def _reign(sight: Sight, now: float) -> Text:
    queen, heir = sight.cluster["queen"], sight.cluster["heir"]
    line = Text("queen ")
    if queen:
        line.append(clean(queen["name"]), style=STYLES["queen"])
        line.append(f" for {ago(queen.get('since'), now)}")
    else:
        line.append("none", style="bold red")
    line.append("  heir ")
    line.append(clean(heir["name"]) if heir else "none", style="" if heir else "yellow")
    line.append("  etcd leader ")
    leads = [clean(seat["name"]) for seat in sight.council["members"] if seat["leads"]]
    line.append(", ".join(leads) or ("unknown" if sight.council["members"] else "kept by its operators"))
    return line


def _council(sight: Sight) -> Text:
    line = Text("council ")
    seats = sight.council["members"]
    for seat in seats:
        line.append(clean(seat["name"]), style="" if seat["healthy"] else "red")
        line.append(" (learner)  " if seat["learner"] else "  " if seat["healthy"] else " (silent)  ")
    if not seats:
        line.append("  ".join(clean(node["name"]) for node in sight.nodes if node["role"] != "worker") or "none")
    return line


def _change(change: Change, number: int, now: float) -> Text:
    more = f", {number} since this began" if number > 1 else ""
    line = Text(f"{change.old or 'nobody'} -> ", style="bold yellow")
    line.append(
        f"{change.new}, term {change.term}: seen within {change.within_s:.1f} s, {ago(change.at, now)} ago{more}"
    )
    return line


def _foot(sight: Sight, choice: Choice, now: float) -> Text:
    if choice.paused:
        return Text("standing still; space goes on", style="bold yellow")
    if sight.trouble:
        return Text(clean(sight.trouble), style="bold red")
    if now - sight.at > sight.fresh_s:
        return Text(f"the last answer is {ago(sight.at, now)} old", style="bold red")
    only = ", not ready" if choice.trouble_only else ""
    return Text(f"q leave  space stop  s sort: {choice.sort.value}{only}  t troubles  e events  h help", style="dim")


# Body ------------------------------------------------------------------------------------------------------------


def _body(sight: Sight, choice: Choice, width: int, room: int, now: float) -> list[Text]:
    """Castes as many as fit, then nodes and events; each of the two gives what it does not need to the other."""
    castes = _castes(sight, width) if room > 14 else []
    room -= len(castes)
    nodes = shown_nodes(sight, choice)
    wanted_nodes, wanted_events = len(nodes) + 1, len(sight.events) + 1
    share = room // 3 if choice.events_first else room - max(3, room // 3)
    for_nodes = min(wanted_nodes, max(share, room - wanted_events))
    return [
        *castes,
        *_nodes(nodes, choice, width, for_nodes, now),
        *_events(sight.events, room - for_nodes),
    ]


def _castes(sight: Sight, width: int) -> list[Text]:
    castes = sight.cluster["castes"]
    if not castes:
        return []
    rows = [
        (clean(one["name"]), str(one["wanted"]), str(one["missing"]), clean(" ".join(one["assigned"])) or "-")
        for one in castes[:_MOST_CASTES]
    ]
    lines = _table(
        ("CASTE", "WANTED", "MISSING", "NODES"), rows, width, styles=lambda row: "" if row[2] == "0" else "yellow"
    )
    if len(castes) > _MOST_CASTES:
        lines.append(Text(f"... {len(castes) - _MOST_CASTES} more: aware castes list", style="dim"))
    return lines


def _nodes(nodes: list[Node], choice: Choice, width: int, room: int, now: float) -> list[Text]:
    if room <= 0:
        return []
    offset = max(0, min(choice.offset, len(nodes) - (room - 1)))
    shown = nodes[offset : offset + room - 1]
    rows = [
        (
            clean(node["name"]),
            clean(node["role"]),
            clean(node["status"]) + (",drained" if node["drained"] else ",cordoned" if node["cordoned"] else ""),
            clean(node["caste"]),
            ago(node["status_since"], now),
            clean(node["address"]),
        )
        for node in shown
    ]
    which = f"NODE {offset + 1}-{offset + len(shown)} of {len(nodes)}" if len(shown) < len(nodes) else "NODE"
    return _table((which, "ROLE", "STATUS", "CASTE", "SINCE", "ADDRESS"), rows, width, styles=_style)


def _held(node: Node) -> str:
    return ",drained" if node["drained"] else ",cordoned" if node["cordoned"] else ""


def _style(row: Sequence[str]) -> str:
    return STYLES.get(row[2].partition(",")[0], "") if row[2] != "ready" else STYLES.get(row[1], "")


def _events(events: Sequence[Event], room: int) -> list[Text]:
    if room < 2:
        return []
    lines = [Text("EVENTS", style="bold")]
    for event in events[max(0, len(events) - (room - 1)) :]:
        severity = clean(event["severity"])
        line = Text(time.strftime("%H:%M:%S ", time.localtime(_moment(event))))
        line.append(clean(event["type"]), style=STYLES.get(severity, ""))
        line.append(f" {clean(event.get('message', ''))}")
        lines.append(line)
    return lines if len(lines) > 1 else [*lines, Text("none yet", style="dim")]


def _moment(event: Event) -> float:
    """When it happened, as far as a calendar goes."""
    return event["time"] if 0 <= event["time"] < 2**40 else 0.0


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, styles: Any) -> list[Text]:
    """Columns as wide as their widest cell; what does not fit is cut at the right."""
    most = max(12, width // 3)
    widths = [min(most, max(cell_len(row[i]) for row in [header, *rows])) for i in range(len(header))]
    lines = [Text(_row(header, widths), style="bold")]
    lines += [Text(_row(row, widths), style=styles(row)) for row in rows]
    return lines


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    last = len(cells) - 1
    return "  ".join(cell if i == last else set_cell_size(cell, widths[i]) for i, cell in enumerate(cells))


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="crop")
    return line


def _lacks(node: Node) -> bool:
    return node["status"] != "ready" or bool(node["cordoned"] or node["drained"])


def _key(node: Node, sort: Sort) -> tuple[Any, ...]:
    name = _natural(node["name"])
    if sort is Sort.ROLE:
        return _RANK.get(node["role"], 9), not _lacks(node), name
    if sort is Sort.STATUS:
        return not _lacks(node), node["status"], name
    return (node["caste"], name) if sort is Sort.CASTE else (name,)


def _natural(name: str) -> list[str | int]:
    """``node-2`` before ``node-10``."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]{1,18})", name))]
