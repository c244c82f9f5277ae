"""The whole system on one machine: PostgreSQL, Temporal and every process of ours, under one supervisor."""

import os

# We start processes while gRPC calls run in this one; its handling of forks would only complain about it.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
