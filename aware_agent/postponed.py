"""Keeps out of a process what a dependency loads at its start and this process never uses.

Starting Python is most of what a node costs to join, and what it loads stays in memory for as long as it lives. Both
tricks leave everything working for who does use it later; ``tests/unit/test_light_start.py`` holds them to it.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_ONE = threading.RLock()  # one such module at a time runs, whoever asks


class _Postponed(ModuleType):
    """A module whose code runs when somebody wants something of it. ``importlib.util.LazyLoader`` will not do: before
    Python 3.12 an import of the module was such a moment already.
    """

    def __getattr__(self, name: str) -> Any:
        """Called for what the module does not have, which is everything until its code ran."""
        with _ONE:
            state = self.__dict__
            if type(self) is _Postponed and not state.get("_running"):
                state["_running"] = True
                try:
                    assert self.__spec__ is not None
                    assert self.__spec__.loader is not None
                    self.__spec__.loader.exec_module(self)
                finally:
                    del state["_running"]
                self.__class__ = ModuleType  # type: ignore[assignment]
            elif type(self) is _Postponed:  # its own code, or what that imports, asks too early
                raise AttributeError(f"partially initialised module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)


def postpone(*names: str) -> None:
    """Have these modules run at the first use of an attribute of theirs instead of at their import.

    For modules of the standard library that others import as a whole. Nothing happens to one that is loaded already.
    Raises ModuleNotFoundError.
    """
    for name in names:
        if name in sys.modules:
            continue
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"there is no module {name!r}", name=name)
        module = sys.modules[name] = _Postponed(name)
        module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
        module.__file__ = spec.origin
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        package, _, last = name.rpartition(".")
        if package:  # an import would have bound it there
            setattr(importlib.import_module(package), last, module)


@contextmanager
def without_its_start(package: str, *within: str) -> Iterator[None]:
    """Inside, modules of ``package`` can be imported without running its ``__init__``, nor those of ``within`` it.

    The modules stay registered under their true names, so that a later ``import package`` finds them and works as
    usual. Raises ModuleNotFoundError.
    """
    if package in sys.modules:
        yield
        return
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package!r} is not installed", name=package)
    home = Path(next(iter(spec.submodule_search_locations)))
    hollow = [package, *(f"{package}.{name}" for name in within)]
    for name in hollow:
        module = ModuleType(name)
        module.__path__ = [str(home.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in hollow:
            del sys.modules[name]


@contextmanager
def as_if_missing(*names: str) -> Iterator[None]:
    """Inside, importing these modules fails as it does where they are not installed. For what a package takes along
    when it finds it, and does without when it does not. Nothing happens to one that is loaded already.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
