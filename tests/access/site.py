"""A real service with one ticket, each of whose parts holds a word that occurs nowhere else."""

import asyncio
import hashlib
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from google.protobuf import json_format

from crdt_sync.adapters import lifecycle_files
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import transition
from crdt_sync.domain.ids import Position
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2, gateway_pb2_grpc
from crdt_sync.service import events
from crdt_sync.wire import awareness, ysync
from tests.access.matrix import CALLERS, GATEWAY, GROUPS, NARROW, NOBODY, OTHER, OWNER, READER, STRANGER, TALKER
from tests.access.wires import metadata_of, sync_socket
from tests.samples import PNG
from tests.server.conftest import Running, run_service
from tests.webhook_receiver import receiving

CLAIMS = {
    OWNER: {"department": "sales", "actor": "sales-1"},
    OTHER: {"department": "backoffice"},
    READER: {"department": "tech"},
    TALKER: {"department": "support"},
    STRANGER: {"department": "marketing", "roles": ["sales", "tech", "support", "backoffice", "sales_lead"]},
    NARROW: {"department": "sales", "actor": "sales-9", "tickets": ["b" * 51 + "a"]},
    GATEWAY: {"department": "gateway", "actor": "gateway-1", "accounts": ["shop"]},
}
HEARTBEAT_S = 0.1  # it tells who hears nothing how far he is; the service's own fifteen seconds would be waited for
OTHER_GATEWAY = {"department": "gateway", "actor": "gateway-2", "accounts": ["other-shop"]}
ROBOTS = {"department": "gateway", "actor": "gateway-3", "accounts": list(GROUPS)}
DESK = "version = 1\n" + "".join(
    f'[[groups]]\nchannel = "dingtalk"\naccount = "{account}"\nconversation = "cid"\ndepartment = "{department}"\n'
    for account, department in zip(GROUPS, ("backoffice", "sales", "marketing"), strict=True)
)
LANES = {"case": OTHER, "sales": OWNER, "tech": READER, "support": TALKER}  # and who owns each
INSIDERS = frozenset({OWNER, OTHER, READER, TALKER})

# Each word, and who may ever receive it. What nobody but its author's department may see has its author alone.
WORDS = {
    "wordsubject": INSIDERS,
    "wordtitle": INSIDERS,
    "wordcard": INSIDERS,
    "wordcustomer": frozenset({OWNER, TALKER}),
    "wordanswer": frozenset({OWNER, TALKER}),
    "wordreply": frozenset({OWNER, TALKER, GATEWAY}),
    "wordelsewhere": frozenset({OWNER, TALKER}),  # an answer through an account that the gateway does not have
    "wordpicture": frozenset({OWNER, TALKER}),
    "wordsentpicture": frozenset({GATEWAY}),  # nobody else asks for it here
    "wordprice": frozenset({OWNER, READER}),
    "wordfield_sales": frozenset({OWNER, READER}),
    "wordnote_sales": frozenset({OWNER, READER}),
    "wordpresence_form": frozenset({OWNER, READER}),
    "wordpresence_card": INSIDERS,
    "wordrefused_sales": frozenset({OWNER}),
    **{f"wordnote_{lane}": frozenset({owner}) for lane, owner in LANES.items() if lane != "sales"},
    **{f"wordfield_{lane}": frozenset({owner}) for lane, owner in LANES.items() if lane != "sales"},
    "wordrefused_tech": frozenset({READER}),
    "wordsaid_case": frozenset({OTHER}),  # in the group of a department
    "wordsaid_sales": frozenset({OWNER, READER}),
    "wordname_case": frozenset({OTHER}),  # who said it
    "wordshown_case": frozenset({OTHER}),  # the picture to it
    "wordshown_sales": frozenset({OWNER, READER}),
}


@dataclass
class Site:
    """The service, its ticket, and a token for each caller."""

    running: Running
    ticket: str
    customer_ticket: str
    other_ticket: str  # of a conversation through another gateway's account
    delivery: gateway_pb2.Delivery  # an answer that was sent, a picture
    digest: str  # of a picture in the ticket's conversation
    noted: dict[str, str]  # lane -> the digest of a picture in its form's notes
    lifecycle: str
    refused: dict[str, str]  # department -> the key under which the log names its refused entry
    tokens: dict[str, str | None]

    async def newest(self):
        """The position of the newest event; of positions behind it nobody who watches is told before a heartbeat."""
        return (await self.running.service._store.events(Position(0)))[-1].position

    async def shown(self):
        answer = await self.running.http.get(f"/api/tickets/{self.ticket}", headers=self.headers(OWNER))
        return answer.json()

    async def heads(self):
        """The digest of the ticket's heads: they are in nobody's `after`."""
        answer = await self.running.http.get(f"/api/tickets/{self.ticket}/history", headers=self.headers(OWNER))
        history = answer.json()["history"]
        heads = {made["id"] for made in history} - {parent for made in history for parent in made["after"]}
        return hashlib.sha256(json.dumps(sorted(heads), separators=(",", ":")).encode()).hexdigest()

    def headers(self, caller):
        token = self.tokens[caller]
        return {"authorization": f"Bearer {token}"} if token else {}

    def metadata(self, caller):
        return metadata_of(self.tokens[caller])

    async def webhook(self):
        """One of the owner's: one of those that are there, or a new one."""
        http, headers = self.running.http, self.headers(OWNER)
        found = (await http.get("/api/webhooks", headers=headers)).json()["webhooks"]
        wide = [hook["id"] for hook in found if hook["tickets"] is None]
        if wide:
            return wide[0]
        body = {"url": f"{self.running.receiver.origin}/site"}
        return (await http.post("/api/webhooks", json=body, headers=headers)).json()["id"]

    def name(self, part):
        return f"ticket/{self.ticket}/{part}"

    async def fill_in(self, given, caller):
        """Put the ticket's own words into a row's placeholders."""
        words = {"{ticket}": self.ticket, "{lifecycle}": self.lifecycle, "{token}": self.tokens[caller] or ""}
        words |= {"{delivery}": self.delivery.id, "{lease}": self.delivery.lease, "{digest}": self.digest}
        words["{receiver}"] = f"{self.running.receiver.origin}/site"
        if "{webhook}" in str(given):
            words["{webhook}"] = await self.webhook()
        if "{version}" in str(given):
            words["{version}"] = (await self.shown())["version"]
        if "{heads}" in str(given):
            words["{heads}"] = await self.heads()
        return _filled(given, words)


def _filled(given, words):
    if isinstance(given, dict):
        return {key: _filled(value, words) for key, value in given.items()}
    if isinstance(given, list):
        return [_filled(value, words) for value in given]
    if isinstance(given, str):
        for placeholder, word in words.items():
            given = given.replace(placeholder, word)
    return given


def lifecycle_text():
    """The shipped default with one reader of a form, and one department that is not in the conversation."""
    text = lifecycle_files.shipped()["connect-order"]
    for old, new in (
        ("  sales:\n    owner: sales\n", "  sales:\n    owner: sales\n    form_readers: [tech]\n"),
        ("talk: [sales, support, tech]", "talk: [sales, support]"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def filled_site(tmp_path):
    file = tmp_path / "sandbox.yaml"
    file.write_text(lifecycle_text(), "utf-8")
    desk = tmp_path / "desk.toml"
    desk.write_text(DESK, "utf-8")
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(events, "HEARTBEAT_S", HEARTBEAT_S)
        receiver = await stack.enter_async_context(receiving())
        origins = (receiver.origin,)
        service = run_service(
            tmp_path / "data", open_documents=False, lifecycle=str(file), desk=desk, webhook_origins=origins
        )
        running = await stack.enter_async_context(service)
        running.receiver = receiver
        tokens = {caller: running.token(**CLAIMS[caller]) if caller in CLAIMS else None for caller in CALLERS}
        assert tokens[NOBODY] is None
        site = Site(running, "", "", "", gateway_pb2.Delivery(), "", {}, "", {}, tokens)
        await _open(site)
        await _fill_forms(site)
        await _in_groups(site)
        await _talk(site)
        for department, caller in (("sales", OWNER), ("tech", READER)):
            await _refused(site, department, caller)
        await _delivered(site)
        for part, word in (("form/sales", "wordpresence_form"), ("card", "wordpresence_card")):
            await _present(site, stack, part, word)
        yield site


async def _post(site, caller, path, json, method="POST"):
    answer = await site.running.http.request(method, path, json=json, headers=site.headers(caller))
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def _open(site):
    body = {"title": "wordtitle", "subject": "wordsubject", "card": {"tags": "wordcard"}}
    shown = await _post(site, OWNER, "/api/tickets", body)
    site.ticket, site.lifecycle = shown["id"], shown["lifecycle"]
    for name, payload in (("quote", {"price": "10.00"}), ("sign", {"contract": "wordprice"})):
        body = {"lane": "sales", "name": name, "seen": (await site.shown())["version"], "payload": payload}
        await _post(site, OWNER, f"/api/tickets/{site.ticket}/transitions", body)
    for lane, owner, name in (("tech", READER, "start"), ("sales", OWNER, "withdraw"), ("tech", READER, "halt")):
        body = {"lane": lane, "name": name, "seen": (await site.shown())["version"]}
        await _post(site, owner, f"/api/tickets/{site.ticket}/transitions", body)
    site.running.service._overdue._red_after_ms = 0
    await site.running.service._overdue.look()
    body = {"lane": "sales", "name": "revive", "seen": (await site.shown())["version"]}
    await _post(site, OWNER, f"/api/tickets/{site.ticket}/transitions", body)


async def _fill_forms(site):
    for lane, owner in LANES.items():
        body = {"fields": {"word": f"wordfield_{lane}"}, "note": f"wordnote_{lane}"}
        await _post(site, owner, f"/api/tickets/{site.ticket}/forms/{lane}", body, "PATCH")


async def _in_groups(site):
    """Have something said in each group; the last belongs to a department without a lane."""
    metadata = metadata_of(site.running.token(**ROBOTS))
    for account, lane in zip(GROUPS, ("case", "sales", "none"), strict=True):
        said = envelope(f"said in {account}", f"#{site.ticket[:8]} wordsaid_{lane}", "cid", account)
        said.customer.display_name = f"wordname_{lane}"
        await ingest(site, said, metadata)
        if lane in LANES:
            site.noted[lane] = await attached(site, said, metadata, PNG + f"wordshown_{lane}".encode())


async def attached(site, said, metadata, content):
    """Bring the picture of a message; return its digest."""
    head = gateway_pb2.AttachHead(account=said.account, idempotency_key=said.idempotency_key, index=1)
    steps = [gateway_pb2.AttachRequest(head=head), gateway_pb2.AttachRequest(piece=content)]
    stub = gateway_pb2_grpc.IngressServiceStub(site.running.channel)
    answer = await stub.Attach(iter(steps), metadata=metadata)
    return answer.content.digest


async def _talk(site):
    await _post(site, OWNER, f"/api/tickets/{site.ticket}/messages", {"text": "wordanswer"})
    site.digest = await _picture(site, site.ticket, "wordpicture")
    site.customer_ticket = await ingest(site, envelope("first", "wordcustomer"), site.metadata(GATEWAY))
    elsewhere = metadata_of(site.running.token(**OTHER_GATEWAY))
    site.other_ticket = await ingest(site, envelope("third", "hello", account="other-shop"), elsewhere)
    await _post(site, OWNER, f"/api/tickets/{site.other_ticket}/messages", {"text": "wordelsewhere"})


async def _picture(site, ticket, word):
    """Answer with a picture; return its digest."""
    path, headers = f"/api/tickets/{ticket}/media", site.headers(OWNER)
    uploaded = await site.running.http.post(path, content=PNG + word.encode(), headers=headers)
    digest = uploaded.json()["digest"]
    await _post(site, OWNER, f"/api/tickets/{ticket}/messages", {"contents": [{"type": "image", "digest": digest}]})
    return digest


async def ingest(site, one, metadata):
    """Bring what was said; return its ticket."""
    answer = await gateway_pb2_grpc.IngressServiceStub(site.running.channel).Ingest(
        gateway_pb2.IngestRequest(envelopes=[one]), metadata=metadata
    )
    (result,) = answer.results
    assert gateway_pb2.INGEST_STATUS_ACCEPTED == result.status
    return result.ticket


def envelope(key, text, conversation="openid-1", account="shop"):
    picture = {"media": {"type": "image", "platform_id": "media-1"}}
    given = {
        "idempotency_key": key,
        "channel": "wechat",
        "account": account,
        "conversation": conversation,
        "sent_at": 1_000,
        "customer": {"sender": conversation, "parts": [{"text": text}, picture]},
    }
    return json_format.ParseDict(given, gateway_pb2.Envelope())


async def _refused(site, department, caller):
    """Submit what no log will ever hold; the log names it by its digest alone."""
    entry = f"wordrefused_{department}"
    update = SubmitDocument(7).append_transition(entry)
    async with sync_socket(site.running, site.name(f"submit/{department}"), site.tokens[caller]) as socket:
        await socket.say(ysync.encode_update(update))
        await socket.hear(ysync.Update)
    site.refused[department] = transition.entry_key(entry.encode())


async def _delivered(site):
    """Have one answer sent, and leave another to be claimed."""
    ticket = await ingest(site, envelope("second", "hello", "openid-2"), site.metadata(GATEWAY))
    await _picture(site, ticket, "wordsentpicture")
    stub = gateway_pb2_grpc.EgressServiceStub(site.running.channel)
    claim = stub.Claim(gateway_pb2.ClaimRequest(), metadata=site.metadata(GATEWAY))
    site.delivery = await claim.read()
    report = gateway_pb2.DeliveryReport(
        id=site.delivery.id, lease=site.delivery.lease, outcome=gateway_pb2.DELIVERY_OUTCOME_SENT
    )
    await stub.Report(report, metadata=site.metadata(GATEWAY))
    claim.cancel()
    await _post(site, OWNER, f"/api/tickets/{site.customer_ticket}/messages", {"text": "wordreply"})
    await _post(site, OWNER, f"/api/tickets/{ticket}/customer", {"ticket": site.customer_ticket})
    await _post(site, OWNER, f"/api/tickets/{ticket}/duplicate", {"of": site.customer_ticket})
    await _post(site, OWNER, f"/api/tickets/{ticket}/duplicate", None, method="DELETE")
    await _post(site, OWNER, f"/api/tickets/{ticket}/customer", None, method="DELETE")


async def _present(site, stack, part, word):
    socket = await stack.enter_async_context(sync_socket(site.running, site.name(part), site.tokens[OWNER]))
    state = awareness.encode([awareness.State(5, 1, f'{{"name":"{word}"}}')])
    await socket.hear(ysync.Step1)
    await socket.say(ysync.encode_awareness(state))
    await socket.hear(ysync.Awareness, where=lambda frame: word.encode() in frame.states)
    reading = asyncio.ensure_future(_read_on(socket))
    stack.callback(reading.cancel)


async def _read_on(socket):
    """Take what comes, as a client does: who reads nothing is taken for gone."""
    async for _ in socket.websocket:
        pass


def edit_of(kind, client):
    """A good update for a document of this kind, from a client id that was not used before."""
    match kind:
        case "submit":
            return SubmitDocument(client).append_message(f"entry of {client}")
        case "form":
            return FormDocument(client).append_note(f"note of {client}")
        case _:  # nobody may write log and talk, whatever the update is
            return CardDocument(client).set_fields({"priority": f"edit of {client}"})
