"""What `crdt-sync replica` prints of a service's words is text, whatever a terminal would make of it."""

from crdt_sync.cli import replica
from crdt_sync.domain.tripwire import Alarm, Evidence
from crdt_sync.replica import Status
from crdt_sync.replica.sync import Connection, Problem
from crdt_sync.replica.view import Entry

ORDER = "\x1b[2J"  # a terminal would clear its screen


def test_what_was_refused_is_offered_to_be_done_again(capsys):
    refused = Entry("r" * 52, "transition", "{}", "support-1", "sales.sign", "parent_refused")
    pending = Entry("p" * 52, "transition", "{}", "support-1", "sales.quote")
    entries = [("t" * 52, refused), ("t" * 52, pending)]
    connected = Connection.CONNECTED
    replica._print(Status("support-1", "sales", connected, None, 1, 1, 1, undelivered=entries, closed={}, alarms=[]))

    shown = capsys.readouterr().out.splitlines()[2:]
    assert [
        f"tttttttttttt  refused (parent_refused): sales.sign  {refused.id}",
        f"  to do it again: crdt-sync ticket again tttttttttttt {refused.id}",
        f"tttttttttttt  pending: sales.quote  {pending.id}",
    ] == shown


def test_a_services_words_do_not_reach_the_terminal_as_orders(capsys):
    problem, told = Problem("code", f"closed {ORDER}"), Evidence(f"first {ORDER}\nsecond", "{}")
    status = Status(
        actor="support-1",
        department="sales",
        connection=Connection.STOPPED,
        problem=problem,
        tickets=1,
        documents=1,
        settled=0,
        undelivered=[],
        closed={"ticket/t/log": problem},
        alarms=[Alarm("t", "sales", "support-1", "h", told, told, 0)],
    )

    replica._print(status)

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert ["support-1 of sales: stopped (code: closed \\x1b[2J)"] == shown.splitlines()[:1]
    assert 2 == shown.count("    first \\x1b[2J\n    second\n")
