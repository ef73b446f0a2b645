# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""All that stands in the way of a run, said at once and not one by one, run after run."""

from __future__ import annotations

from typing import Any, Callable, Iterable

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError, Refused, Unanswered


def straight(function: Callable, *arguments: Any) -> Any:
    """Call it: what stands in the way ends the run. The way out for those who have no :class:`Findings`."""
    return function(*arguments)


class Findings:
    """Sentences about what has to be put right first."""

    def __init__(self) -> None:
        self.texts: list = []

    def attempt(self, function: Callable, *arguments: Any) -> Any:
        """Call it. A CloudError becomes a finding, and the result is None; a service that says no or nothing is no finding."""
        try:
            return function(*arguments)
        except (Refused, Unanswered):
            raise
        except CloudError as exc:
            self.add([str(exc)])
            return None

    def add(self, texts: Iterable) -> None:
        """Note more; each is told once."""
        self.texts += [text for text in texts if text not in self.texts]

    def check(self) -> None:
        """Raise CloudError with all of them when there are any."""
        if self.texts:
            raise CloudError("; ".join(self.texts))
