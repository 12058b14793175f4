"""What a ticket's documents hold in a browser, in a replica, and at the service: each read from where it is kept."""

import base64
from collections.abc import Iterable
from typing import Any

import pycrdt
from playwright.async_api import Page

from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.ids import DocumentName
from crdt_sync.replica import Ticket
from tests.conformance.reader import read
from tests.conformance.server_process import ServerProcess

CLIENT_ID = 7  # it never writes, so nobody sees this
KEPT = """async (ticket) => {
    const done = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const copies = {};
    for (const { name } of await indexedDB.databases()) {
        const document = name.split(" ").find((word) => word.startsWith(`ticket/${ticket}/`));
        if (document !== undefined) {
            const database = await done(indexedDB.open(name));
            const rows = await done(database.transaction("updates").objectStore("updates").getAll());
            copies[document] = rows.map((row) => row.toBase64());
            database.close();
        }
    }
    return copies;
}"""
"""The rows of each document's database, which are updates."""

SPOIL = """async ([ticket, spoilt]) => {
    const done = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    for (const { name } of await indexedDB.databases()) {
        const document = name.split(" ").find((word) => word.startsWith(`ticket/${ticket}/`));
        const update = spoilt[document?.split("/").slice(2).join("/")];
        if (update !== undefined) {
            const database = await done(indexedDB.open(name));
            const store = database.transaction("updates", "readwrite").objectStore("updates");
            await done(store.add(Uint8Array.fromBase64(update)));
            database.close();
            delete spoilt[document.split("/").slice(2).join("/")];
        }
    }
    if (Object.keys(spoilt).length > 0) throw new Error(`There is no ${Object.keys(spoilt)}.`);
}"""
"""Adds an update to each of the named documents."""

Contents = dict[str, tuple[object, dict[int, int]]]
"""What each document of a ticket shows, and how far each of its writers got in it."""


async def in_browser(page: Page, ticket: str) -> Contents:
    """What a person's browser keeps of a ticket."""
    kept = await page.evaluate(KEPT, ticket)
    return {name: _content(_document(name, map(base64.b64decode, rows))) for name, rows in kept.items()}


async def spoil(page: Page, ticket: str, **documents: pycrdt.Doc[Any]) -> None:
    """Put into a browser's copies what no program of ours writes; a page shows it from its next start on."""
    spoilt = {name.replace("_", "/"): base64.b64encode(doc.get_update()).decode() for name, doc in documents.items()}
    await page.evaluate(SPOIL, [ticket, spoilt])


def in_replica(ticket: Ticket) -> Contents:
    """What a replica holds of a ticket."""
    held = {str(name): ticket.desk.shelf.get(name) for name in ticket.names}
    return {name: _content(document) for name, document in held.items() if document is not None}


async def at_service(service: ServerProcess, names: Iterable[str], department: str) -> Contents:
    """What the service gives to somebody who comes fresh."""
    return {name: _content(await read(service, name, department)) for name in names}


def _document(name: str, updates: Iterable[bytes]) -> Document:
    document = new_document(DocumentName.parse(name).kind, CLIENT_ID)
    for update in updates:
        assert document.apply_committed(update) is not Outcome.GAP
    return document


def _content(document: Document) -> tuple[object, dict[int, int]]:
    return {root: shared.to_py() for root, shared in document._doc.items()}, document.state()
