"""The command line. Only here do the service and the gateway meet in one process."""

import os

# The demonstration starts processes of its own; gRPC, told nothing, writes a line to standard error for each.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")  # noqa: TID251 - read by gRPC's C core when it is loaded
