"""The matrix has a row for everything through which data can leave, as the program lists it, and no other."""

import importlib
import pkgutil
from collections import Counter

import pytest
import typer
from fastapi.routing import iter_route_contexts
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from starlette.routing import Route, WebSocketRoute

from crdt_sync.cli import main
from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import DocumentKind
from crdt_sync.rpc.ticketsync import v1
from crdt_sync.server.app import Channels, Parts, create_app
from crdt_sync.server.sockets import ADDRESSES
from tests.access import matrix
from tests.access.wires import WATCHES, WIRES
from tests.fakes import ManualClock
from tests.server.fakes import FakeAuthenticator


def routes():
    """Every route of the application, and the sockets beside it; a mount, whatever is in it, would need its own row."""
    parts = Parts(
        tickets=None,
        contents=None,
        conversations=None,
        webhooks=None,
        lifecycles=None,
        authenticator=FakeAuthenticator(),
        readiness=None,
        clock=ManualClock(),
        audit=None,
        rate=None,
        metrics=None,
        events=None,
        origins=(),
        channels=Channels(),
        sessions=None,
    )
    application = [key for context in iter_route_contexts(create_app(parts).routes) for key in _keys(context)]
    return application + [f"WS {path}" for path in ADDRESSES]


def _keys(context):
    """A route as the matrix names it. A mount is one key, whatever is in it, and so is what nobody thought of."""
    route = context.original_route
    if isinstance(route, WebSocketRoute):
        return [f"WS {context.path}"]
    if isinstance(route, Route):
        return [f"{method} {context.path}" for method in (context.methods or {"*"}) - {"HEAD"}]
    return [f"* {context.path}"]


def declared_services():
    for module in pkgutil.iter_modules(v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR
            yield from (service.full_name for service in file.services_by_name.values())


async def served_services(channel):
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    call.cancel()
    return [service.name for service in answer.list_services_response.service]


def commands(group=None, prefix=""):
    """Every command of the command line, named as it is typed."""
    for name, command in (group or typer.main.get_group(main.app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name


def assert_same(expected_rows, listed):
    rows = Counter(expected_rows)
    assert [] == [row for row, times in rows.items() if times > 1], "one row each"
    assert [] == sorted(set(listed) - set(rows)), "these have no row in tests/access/matrix.py"
    assert [] == sorted(set(rows) - set(listed)), "these rows have nothing behind them"


def test_every_route_has_a_row():
    sockets = [f"WS {path}" for path in matrix.SOCKETS]
    assert_same([row.key for row in matrix.ROUTES] + sockets, routes())
    assert set(matrix.SOCKETS.values()) <= {*WIRES, *WATCHES, matrix.VISITOR}


async def test_every_call_has_a_row(running):
    services = {*declared_services(), *await served_services(running.channel)}
    pool = descriptor_pool.Default()
    calls = [f"{name}/{method.name}" for name in services for method in pool.FindServiceByName(name).methods]
    assert_same([row.key for row in matrix.RPCS] + list(matrix.STREAMS), calls)


def test_every_kind_of_document_has_a_row():
    assert_same([row.kind for row in matrix.DOCUMENTS], list(DocumentKind))


def test_every_type_of_event_has_a_row():
    assert_same([row.type for row in matrix.EVENTS], list(EventType))


def test_every_command_has_a_row():
    assert_same([row.command for row in matrix.EXPORTS], list(commands()))


@pytest.mark.parametrize("forgotten", ["ROUTES", "DOCUMENTS", "EVENTS", "EXPORTS"])
def test_a_forgotten_row_is_noticed(monkeypatch, forgotten):
    monkeypatch.setattr(matrix, forgotten, getattr(matrix, forgotten)[1:])
    check = {
        "ROUTES": test_every_route_has_a_row,
        "DOCUMENTS": test_every_kind_of_document_has_a_row,
        "EVENTS": test_every_type_of_event_has_a_row,
        "EXPORTS": test_every_command_has_a_row,
    }[forgotten]
    with pytest.raises(AssertionError, match="have no row"):
        check()
