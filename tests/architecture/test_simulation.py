"""The simulated worlds are built of the classes that `serve` runs, and of no copy or kind of them."""

import ast

from tests.architecture.tree import ROOT, imported, modules

SIMULATION = sorted((ROOT / "property_tests" / "simulation").glob("*.py"))
BOOTSTRAP = ROOT / "crdt_sync" / "server" / "bootstrap.py"
COMPOSED = ("crdt_sync.service.", "crdt_sync.adapters.storage.")


def classes(paths):
    return [
        node
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]


def test_what_serve_composes_the_simulation_composes():
    wanted = {name for name in imported(BOOTSTRAP) if name.startswith(COMPOSED)}
    assert wanted
    assert set() == wanted - {name for path in SIMULATION for name in imported(path)}


def test_its_replicas_and_lines_are_the_products():
    wanted = {
        "crdt_sync.replica.Replica",
        "crdt_sync.replica.websocket_link.decoded",
        "crdt_sync.replica.websocket_link.encoded",
        "crdt_sync.protocol.collab_dialect.CollabDialect",
    }
    assert set() == wanted - {name for path in SIMULATION for name in imported(path)}


def test_nothing_of_the_product_is_derived_from_or_replaced():
    names = {name.rpartition(".")[2] for path in SIMULATION for name in imported(path) if name.startswith("crdt_sync.")}
    bases = {base.id for each in classes(SIMULATION) for base in each.bases if isinstance(base, ast.Name)}
    assert set() == bases & names
    replaced = {
        "Committer",
        "Connection",
        "Connections",
        "Desk",
        "Replica",
        "Room",
        "Rooms",
        "SqlStore",
        "Sync",
        "Tickets",
    }
    assert replaced <= {each.name for each in classes(modules())}
    assert set() == replaced & {each.name for each in classes(SIMULATION)}
