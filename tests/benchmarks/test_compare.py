"""The comparison measures what it says: frames that servers understand, changes counted once, and ratios of medians."""

import os

import pytest

from benchmarks import compare, load, wires
from benchmarks.servers import SERVERS
from benchmarks.usage import usage
from benchmarks.workloads import WORKLOADS, Shape, Workload
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.wire import awareness, hocuspocus, ysync
from crdt_sync.wire.lib0 import Reader

SERVER = "crdt-sync /collab"


@pytest.mark.parametrize("number", [0, 127, 128, 300, 2**40])
def test_lengths_are_written_as_the_service_reads_them(number):
    assert number == Reader(wires.var_uint(number)).var_uint()


def test_the_changes_of_a_writer_are_updates_that_a_server_takes_one_after_the_other():
    for shape, kind in ((Shape.TEXT, Document), (Shape.CARD, CardDocument)):
        document = kind(7)
        frames = wires.changes(shape, wires.COLLAB.address("d"), [3, 4, 5])
        found = [hocuspocus.decode(frame).frame.update for frame in frames]
        assert ["applied"] * 3 == [document.receive(update, actor="a").kind for update in found]
        assert [[3], [4], [5]] == [[int(mark[1]) for mark in wires.MARK.finditer(frame)] for frame in frames]


def test_a_writers_presence_is_newer_with_each_change():
    frames = wires.changes(Shape.PRESENCE, b"", [7, 8])
    states = [awareness.decode(ysync.decode(frame).states)[0] for frame in frames]
    assert [(8, 8), (8, 9)] == [(state.client, state.clock) for state in states]


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        (SERVER, Workload("cards", documents=2, clients=2, changes=8, window=2, shape=Shape.CARD)),
        ("crdt-sync /sync", Workload("open loop", documents=1, clients=3, changes=20, per_s=400)),
    ],
)
async def test_every_change_arrives_at_everybody_else(name, workload):
    with compare.started(SERVERS[name], workload) as target:
        found = await load.run(target, workload)
    assert workload.documents * workload.clients == found["connections"]
    assert 100 == found["delivered_percent"]
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert set(compare.COLUMNS) <= found.keys()


async def test_a_change_counts_once_a_receiver_and_never_at_its_writer():
    workload = Workload("", documents=1, clients=3, changes=1, window=1)
    target = load.Target("", "yjs", 0, ["d"], [""])
    clients = [load.Client(target, "d", "") for _ in range(3)]
    tally, (writer,) = load.equip(clients, workload)
    tally.sent(0, writer, 1.0)
    for client in (writer, clients[1], writer, clients[2], clients[2]):
        tally.arrived(0, client)
    assert 2 == len(tally.latencies_s)
    assert tally.complete.is_set()


def test_what_this_process_takes_is_read():
    found = usage(os.getpid())
    assert found.cpu_s > 0
    assert found.rss_bytes > 1_000_000


def test_the_table_has_medians_and_ratios_to_the_peer():
    runs = {
        "ours": [dict.fromkeys(compare.COLUMNS, value) for value in (10.0, 30.0, 20.0)],
        "hocuspocus": [dict.fromkeys(compare.COLUMNS, 5.0)],
    }
    _, _, ours, ratio, peer = compare.table(runs).splitlines()
    assert f"| ours | {' | '.join(['20'] * len(compare.COLUMNS))} |" == ours
    assert f"| … to hocuspocus | {' | '.join(['4.00 ×'] * len(compare.COLUMNS))} |" == ratio
    assert peer.startswith("| hocuspocus | 5 |")


def test_what_is_started_while_pinned_runs_on_one_processor():
    before = os.sched_getaffinity(0)
    with compare.pinned(min(before)):
        assert {min(before)} == os.sched_getaffinity(0)
    assert before == os.sched_getaffinity(0)


def test_each_workload_is_a_closed_or_an_open_loop():
    assert all(bool(workload.window) != bool(workload.per_s) for workload in WORKLOADS.values())
