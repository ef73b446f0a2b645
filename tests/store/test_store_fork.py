"""Child processes are started while calls to etcd are under way: gRPC's fork handlers, which kill some, stay off."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# gRPC looks at the variable once, so it has to be there before anything imports grpc.
SCRIPT = """
import importlib, importlib.abc, os, sys

class Watcher(importlib.abc.MetaPathFinder):
    seen = None
    def find_spec(self, name, path=None, target=None):
        if name == "grpc" and Watcher.seen is None:
            Watcher.seen = os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "")
        return None

sys.meta_path.insert(0, Watcher())
importlib.import_module(sys.argv[1])
print(Watcher.seen)
"""


@pytest.mark.parametrize("module", ["client", "auth", "connections", "stream", "snapshot", "rpc"])
def test_fork_handlers_are_off_before_grpc_is_imported(module: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    command = [sys.executable, "-c", SCRIPT, f"aware_agent.store.{module}"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    # The messages alone may need no grpc at all.
    assert said.strip() == "0" or (module == "rpc" and said.strip() == "None")
