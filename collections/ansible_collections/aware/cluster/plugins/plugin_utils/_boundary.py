# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outermost boundary of an inventory plugin: one sentence, and whether it ends the run."""

from __future__ import annotations

import atexit
import os
import traceback
from contextlib import contextmanager
from typing import Any, Iterator

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible_collections.aware.cluster.plugins.module_utils._reasons import line_of, unforeseen

FATAL = "fatal"
_TOLD: set = set()


class RunEnded(SystemExit):
    """Ends the run. Ansible takes every Exception of an inventory plugin for a warning; this is none."""


@contextmanager
def boundary(plugin: Any, path: str, ours: tuple) -> Iterator[None]:
    """Turn what fails inside into one line: the text of an exception among ``ours``, or of Ansible's, or what it is.

    Raises AnsibleParserError, or RunEnded after printing the line where the run shall not go on.
    """
    try:
        yield
    except Exception as exc:
        Display().vvv(traceback.format_exc())
        known = isinstance(exc, ours) or isinstance(exc, AnsibleError)
        text = "%s: %s" % (plugin.NAME, line_of(exc) if known else unforeseen(exc))
        if ends_the_run(plugin, path):
            Display().error(text, wrap_text=False)
            raise RunEnded(1) from None
        _say_again_at_the_end(text)
        raise AnsibleParserError(text) from None  # core prints causes again


def _say_again_at_the_end(text: str) -> None:
    """Ansible tries its other plugins on the file, prints what each says of it, and goes on; people read the last line."""
    if text not in _TOLD:
        _TOLD.add(text)
        atexit.register(
            Display().warning, "%s. The run went on without these hosts; on_failure: fatal would end it" % text
        )


def ends_the_run(plugin: Any, path: str) -> bool:
    """Whether the file, the environment or ansible.cfg say so; asked before options are read, which may be what fails.

    Where Ansible would end the run for any source that cannot be read, it is ended here: Ansible's own line would come
    last, after the complaints of every other plugin, and says nothing.
    """
    try:
        said = DataLoader().load_from_file(path, cache="none").get("on_failure")
        if said is None:
            said = C.config.get_config_value("on_failure", plugin_type="inventory", plugin_name=plugin._load_name)
    except Exception:  # not YAML, or a plugin without the option
        said = None
    return said == FATAL or bool(C.INVENTORY_ANY_UNPARSED_IS_FAILED)


def is_called(path: str, plugin: str, endings: tuple) -> bool:
    """Whether the file's name ends as it must. Raises AnsibleParserError when it does not and names this plugin."""
    if path.endswith(endings):
        return True
    if names_plugin(path, plugin):
        raise AnsibleParserError(
            "the name of a file with `plugin: %s` must end in %s, and %s does not"
            % (plugin, " or ".join(endings), path)
        )
    return False


def names_plugin(path: str, plugin: str) -> bool:
    """Whether a file says ``plugin:`` this one, so that other plugins keep theirs."""
    if not os.path.isfile(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as stream:
        return any(
            line.split("#")[0].replace('"', "").replace("'", "").split() == ["plugin:", plugin] for line in stream
        )
