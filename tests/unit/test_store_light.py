"""What a worker carries in memory because it talks to etcd."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
import aware_agent.store.client, aware_agent.store.lease, aware_agent.store.projection, aware_agent.store.fenced
heavy = {"aetcd.client", "aetcd.rpc.rpc_pb2_grpc", "cryptography", "fastapi", "jinja2", "pydantic", "openstack"}
print(sorted(heavy & set(sys.modules)))
from aware_agent.store import rpc
import aetcd, aetcd.rpc
print(aetcd.rpc.PutRequest is rpc.pb.PutRequest, hasattr(aetcd, "Client"))
"""
LATE = """
import aetcd.rpc
from aware_agent.store import rpc
print(aetcd.rpc.PutRequest is rpc.pb.PutRequest)
"""


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_store_loads_no_second_client_and_does_no_harm_to_it() -> None:
    assert run(CHECK) == ["[]", "True True"]


def test_an_aetcd_that_is_loaded_already_is_shared() -> None:
    assert run(LATE) == ["True"]
