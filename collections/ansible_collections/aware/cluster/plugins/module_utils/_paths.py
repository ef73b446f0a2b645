# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one place where names become part of a URL's path."""

from __future__ import annotations

from typing import Iterable
from urllib.parse import quote

MAX_NAME = 255  # of anything that OpenStack or a gateway has a name for


def path_of(segments: Iterable, error: type) -> str:
    """Return ``/a/b`` with each segment quoted whole, so that none reaches further than its place.

    Raises ``error`` with one sentence for a segment that cannot be quoted: an empty one, and ``.`` and ``..``, which
    every client and proxy takes for steps of the path however they are written, and one that cannot be printed.
    """
    path = ""
    for segment in segments:
        if not isinstance(segment, str) or segment in ("", ".", "..") or len(segment) > MAX_NAME:
            raise error("%.300r is no name: it cannot be asked for" % (segment,))
        if not segment.isprintable():  # halves of letters are among these, and cannot be quoted
            raise error("%.300r is no name: it has letters that cannot be printed" % (segment,))
        path += "/" + quote(segment, safe="@:")
    return path
