import pytest

from crdt_sync import errors
from crdt_sync.wire.status import BY_CODE, TABLE, status_of
from crdt_sync.wire.websocket import Violation


def tree(root):
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


OURS = [kind for kind in tree(errors.TicketSyncError) if kind.__module__ == "crdt_sync.errors"]


@pytest.mark.parametrize("kind", OURS)
def test_every_type_of_the_tree_has_a_row_of_its_own(kind):
    assert kind in TABLE


@pytest.mark.parametrize("kind", [kind for kind in OURS if kind is not errors.TicketSyncError])
def test_clients_come_back_after_what_may_be_tried_again_and_after_nothing_else(kind):
    permanent = 4400 <= TABLE[kind].close <= 4499

    assert permanent is not kind.retryable


def test_no_close_code_is_4408():
    """Hocuspocus means a timeout by it, unmodified y-websocket clients give up on it."""
    assert all(row.close != 4408 for row in [*TABLE.values(), *BY_CODE.values()])


@pytest.mark.parametrize(
    ("error", "http", "grpc", "close"),
    [
        (errors.Unauthenticated("x"), 401, "UNAUTHENTICATED", 4401),
        (errors.Unauthenticated("x", code="token_expired"), 401, "UNAUTHENTICATED", 4401),
        (errors.Unauthenticated("x", code="session_expired"), 401, "UNAUTHENTICATED", 4501),
        (errors.Unauthenticated("x", code="token_late"), 401, "UNAUTHENTICATED", 4501),
        (errors.Unauthenticated("x", code="key_withdrawn"), 401, "UNAUTHENTICATED", 4501),
        (errors.NotFound("x", code="unknown_method"), 404, "UNIMPLEMENTED", 4404),
        (Violation("x"), 400, "INVALID_ARGUMENT", 1002),
        (Violation("x", code="not_utf8"), 400, "INVALID_ARGUMENT", 1007),
        (errors.Forbidden("x"), 403, "PERMISSION_DENIED", 4403),
        (errors.NotFound("x"), 404, "NOT_FOUND", 4404),
        (errors.NotThereYet("x"), 404, "NOT_FOUND", 4504),
        (errors.TooLarge("x"), 413, "RESOURCE_EXHAUSTED", 4413),
        (errors.Malformed("x"), 400, "INVALID_ARGUMENT", 4422),
        (errors.Refused("x"), 422, "INVALID_ARGUMENT", 4422),
        (errors.Reset("x"), 409, "FAILED_PRECONDITION", 4410),
        (errors.PreconditionMissing("x"), 428, "FAILED_PRECONDITION", 4422),
        (errors.PreconditionUnknown("x"), 412, "FAILED_PRECONDITION", 4422),
        (errors.Conflict("x"), 409, "FAILED_PRECONDITION", 4422),
        (errors.CallerError("x"), 400, "INVALID_ARGUMENT", 4422),
        (errors.ServiceError("x"), 500, "INTERNAL", 1011),
        (errors.TooMany("x"), 429, "RESOURCE_EXHAUSTED", 1013),
        (errors.Unavailable("x"), 503, "UNAVAILABLE", 1013),
    ],
)
def test_an_error_is_this_on_each_wire(error, http, grpc, close):
    row = status_of(error)

    assert (http, grpc, close) == (row.http, row.grpc, row.close)


def test_a_type_that_is_derived_elsewhere_takes_the_row_of_its_parent():
    class Narrower(errors.TooLarge):
        pass

    assert TABLE[errors.TooLarge] == status_of(Narrower("x"))
