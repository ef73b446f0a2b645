# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What others wrote: files that are ordinary ones, and JSON that is nothing but JSON. Bounded."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from typing import Any

MAX_BYTES = 1 << 20
MAX_NUMBER = (1 << 63) - 1  # of a revision or term: what etcd counts to
_MAX_DEPTH = 32
_MAX_VALUES = 100000
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_regular(path: str, most: int = MAX_BYTES) -> bytes:
    """Return the content of a file. Raises OSError, also for a pipe, a device and for more than ``most`` bytes.

    A pipe or a terminal would be waited for without an end, a device such as C(/dev/zero) has none.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "Is a directory" if os.path.isdir(path) else "not an ordinary file", path)
    # What was changed meanwhile is still not waited for.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as stream:
        raw = stream.read(most + 1)
    if raw is None:  # files of /proc that wait, such as kmsg
        raise OSError(errno.EAGAIN, "not an ordinary file", path)
    if len(raw) > most:
        raise OSError(errno.EFBIG, "larger than %d MiB" % (most >> 20), path)
    return raw


def json_of(body: bytes) -> Any:
    """Return what the bytes say. Raises ValueError for what is no JSON, though Python would take it.

    Infinity and NaN, numbers beyond all bounds and halves of letters could be read here and never be written again.
    """
    text = bytes(body).decode("utf-8")
    try:
        document = json.loads(text, parse_constant=_no_number, parse_float=_number)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if _SURROGATE.search(text):
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


def _no_number(text: str) -> Any:
    raise ValueError("%s is not a number" % text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def is_bounded(document: Any) -> bool:
    """Whether a document of YAML can be walked through: an alias may hold itself, or make much out of little."""
    left = [_MAX_VALUES]

    def walk(value: Any, depth: int) -> bool:
        left[0] -= 1
        if left[0] < 0 or depth > _MAX_DEPTH:
            return False
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        return all(walk(item, depth + 1) for item in inner)

    return walk(document, 0)
