"""A replica of a department's tickets, which works with no network. Start with `Replica.open`."""

from crdt_sync.replica.changes import Change
from crdt_sync.replica.replica import Replica, Status
from crdt_sync.replica.ticket import Ticket
from crdt_sync.replica.view import Entry

__all__ = ["Change", "Entry", "Replica", "Status", "Ticket"]
