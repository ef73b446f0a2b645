"""etcd, as the colony uses it."""

import os

# Before anything imports grpc, which looks at it once. Child processes are started by exec only; with gRPC's fork
# handlers a child that is started while calls are under way may die before it begins.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
