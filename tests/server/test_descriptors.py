import resource
import subprocess
import sys

import pytest
import structlog

from crdt_sync.server import descriptors
from crdt_sync.server.descriptors import BESIDE, GRPC_CONNECTIONS_MAX, make_room


def test_the_soft_limit_is_raised_as_far_as_is_needed():
    program = """
import resource
from crdt_sync.server.descriptors import make_room
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
print(make_room(50), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert f"50 {50 + 50 + BESIDE}" == ran.stdout.strip()


@pytest.mark.parametrize(
    ("allowed", "wanted", "connections"),
    [(7 + 7, 50, 7), (5_000 + GRPC_CONNECTIONS_MAX, 9_000, 5_000), (GRPC_CONNECTIONS_MAX, 9_000, 1_000), (0, 50, 1)],
)
def test_where_the_system_allows_fewer_there_are_fewer_and_the_operator_is_told(
    monkeypatch, allowed, wanted, connections
):
    """As many are left for gRPC, up to a bound of its own."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (BESIDE + allowed, BESIDE + allowed))
    with structlog.testing.capture_logs() as lines:
        assert connections == make_room(wanted)
    assert [("too few file descriptors", connections)] == [(line["event"], line["connections"]) for line in lines]


def test_a_limit_that_is_none_is_left_alone(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert 50 == make_room(50)


def test_where_nobody_counts_nothing_is_raised(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert 50 == descriptors.make_room(50)
