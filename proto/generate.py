"""Generates the gRPC stubs of proto/ into the folder given as the first argument (`make proto`).

The compiler writes imports that fit a top-level package; the stubs live in `crdt_sync.rpc`, so those lines are
rewritten. A test runs this into an empty folder and compares the result with what is committed.
"""

import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

PROTO = Path(__file__).parent
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"


def generate(out: Path) -> None:
    """Write the stubs of every .proto file below `out`; a file that does not compile ends the run."""
    sources = sorted(str(path) for path in PROTO.glob("ticketsync/v1/*.proto"))
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    status = protoc.main(["protoc", f"-I{PROTO}", f"-I{WELL_KNOWN}", *outputs, *sources])
    if status != 0:
        sys.exit(status)
    for path in out.glob("ticketsync/v1/*_pb2*.py*"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("from ticketsync.v1 import", "from crdt_sync.rpc.ticketsync.v1 import"), encoding="utf-8"
        )


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
