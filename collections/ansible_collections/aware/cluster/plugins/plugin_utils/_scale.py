# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a caste may scale, as users write it. Which time zones there are the colony knows, and refuses others."""

from __future__ import annotations

import re

MAX_NODES = 10000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PACE = dict(nodes=dict(type="int"), share=dict(type="float"))
SCALE = {
    "min": dict(type="int", required=True),
    "max": dict(type="int", required=True),
    "cpu": dict(type="float"),
    "memory": dict(type="float"),
    "load": dict(type="float"),
    "demand": dict(
        type="dict", options=dict(per_node=dict(type="float", required=True), unknown_after_s=dict(type="float"))
    ),
    "tolerance": dict(type="float"),
    "out": dict(type="dict", options=_PACE),
    "in": dict(type="dict", options=dict(_PACE, after_s=dict(type="float"), drain_s=dict(type="float"))),
    "zone": dict(type="str"),
    "schedule": dict(type="list", elements="dict"),
}
WINDOW = {
    "from": dict(type="str", required=True),
    "to": dict(type="str", required=True),
    "days": dict(type="list", elements="str", choices=list(DAYS)),
    "min": dict(type="int"),
    "max": dict(type="int"),
}
_RANGES = (
    (("cpu",), 0.05, 0.95),
    (("memory",), 0.05, 0.95),
    (("load",), 0.05, 20),
    (("demand", "per_node"), 1e-6, 1e12),
    (("demand", "unknown_after_s"), 10, 86400),
    (("tolerance",), 0, 0.5),
    (("in", "after_s"), 0, 86400),
    (("in", "drain_s"), 0, 3600),
    (("in", "nodes"), 1, MAX_NODES),
    (("in", "share"), 0, 10),
    (("out", "nodes"), 1, MAX_NODES),
    (("out", "share"), 0, 10),
)
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")


def highest(scale: dict) -> int:
    """The most nodes the caste may ever want."""
    return max([scale["max"]] + [window["max"] for window in scale.get("schedule", []) if "max" in window])


def scale_flaw(scale: dict, count: int) -> str:
    """What is wrong with it, beginning with the key below the caste; empty: nothing."""
    for keys, least, most in _RANGES:
        value: object = scale
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)) and not least <= value <= most:
            return ".scale.%s %.6g is out of range: %g to %g" % (".".join(keys), value, least, most)
    targets = [key for key in ("cpu", "memory", "load", "demand") if key in scale]
    windows = scale.get("schedule", [])
    for window in [{}] + windows:
        wrong = _bounds_flaw(dict(scale, **window), by_load=bool(targets) and "demand" not in scale)
        if wrong:
            return wrong
    if not scale["min"] <= count <= scale["max"]:
        return ".count %d is not between min %d and max %d, and it is what the caste starts with" % (
            count,
            scale["min"],
            scale["max"],
        )
    if not targets and not windows:
        return ".scale: nothing says how many are wanted: give a target (cpu, memory, load or demand) or a schedule"
    return _windows_flaw(windows)


def _bounds_flaw(values: dict, by_load: bool) -> str:
    if not 0 <= values["min"] <= MAX_NODES or not 1 <= values["max"] <= MAX_NODES:
        return ".scale: min and max are 0 and 1 to %d" % MAX_NODES
    if values["min"] > values["max"]:
        return ".scale.min %d is more than max %d" % (values["min"], values["max"])
    if values["min"] == 0 and by_load:
        return ".scale.min 0 would leave nobody to tell its load: at least 1, or a target of demand"
    return ""


def _windows_flaw(windows: list) -> str:
    taken = []
    for number, window in enumerate(windows):
        where = ".scale.schedule.%d" % number
        if not _TIME.match(window["from"]) or not (_TIME.match(window["to"]) or window["to"] == "24:00"):
            return where + ": from and to are times of a day in quotes, as \"08:00\""
        if window["from"] == window["to"]:
            return where + ' is empty; a whole day is "00:00" to "24:00"'
        if "min" not in window and "max" not in window:
            return where + " changes nothing: give it min, max or both"
        days = window.get("days", list(DAYS))
        if not days or len(set(days)) != len(days):
            return where + ".days names each of its days once"
        taken += [(start, end, number) for start, end in _pieces(window, days)]
    taken.sort()
    for one, other in zip(taken, taken[1:]):
        if other[0] < one[1]:
            return ".scale.schedule: windows %d and %d overlap" % tuple(sorted((one[2] + 1, other[2] + 1)))
    return ""


def _pieces(window: dict, days: list) -> list:
    """Minutes of the week, as the colony counts them."""
    begins, ends = (int(text[:2]) * 60 + int(text[3:]) for text in (window["from"], window["to"]))
    pieces = []
    for day in days:
        start = DAYS.index(day) * 1440 + begins
        end = start + ((ends - begins) % 1440 or 1440)
        pieces.append((start, min(end, 7 * 1440)))
        if end > 7 * 1440:
            pieces.append((0, end - 7 * 1440))
    return pieces
