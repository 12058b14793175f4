"""Receivers of webhooks: where nothing is ever sent, what an answer means, and what an attempt may cost."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
import trustme

from crdt_sync import public_addresses
from crdt_sync.adapters import receivers
from crdt_sync.adapters.receivers import ANSWER_BYTES_MAX, URL_CHARACTERS_MAX, HttpReceivers
from crdt_sync.errors import Malformed
from crdt_sync.ports.webhooks import Reply
from tests.fakes import START_MS, ManualClock

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
HEADERS = {"webhook-id": "7"}


class Server:
    """Takes what comes and answers as it is told; `heard` is each request as it came."""

    def __init__(self):
        self.answer, self.heard, self.connections = OK, [], 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.heard.append(head + await reader.readexactly(length))
                if self.answer is None:
                    await reader.read()
                    return
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(context=None):
    it = Server()
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0, ssl=context)
    it.port = server.sockets[0].getsockname()[1]
    async with server:
        yield it


async def post(way, url, times=1):
    receiver = way.open(url)
    try:
        return [await receiver.post(HEADERS, b"{}") for _ in range(times)][-1]
    finally:
        await receiver.close()
        way.close()


def resolving(*answers):
    """A name server that gives these answers in turn."""
    left = list(answers)

    async def resolve(host, port):
        return left.pop(0)

    return resolve


def ours(port, **more):
    origin = f"http://127.0.0.1:{port}"
    return HttpReceivers(ManualClock(), [origin], **more), f"{origin}/events?of=desk"


async def test_an_event_is_posted_as_it_is_and_connections_are_used_again():
    async with serving() as server:
        way, url = ours(server.port)
        assert Reply() == await post(way, url, times=3)

    assert (3, 1) == (len(server.heard), server.connections)
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (b"POST /events?of=desk HTTP/1.1", b"{}") == (lines[0], body)
    assert {b"webhook-id: 7", b"host: 127.0.0.1:%d" % server.port} <= {line.lower() for line in lines[1:]}


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Reply()),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", Reply("http_302")),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", Reply("http_500")),
        (b"HTTP/1.1 429 Busy\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n", Reply("http_429", 120_000)),
        (b"HTTP/1.1 429 Busy\r\nretry-after: 999999999\r\ncontent-length: 0\r\n\r\n", Reply("http_429", 86_400_000)),
        (b"HTTP/1.1 503 Busy\r\nretry-after: soon\r\ncontent-length: 0\r\n\r\n", Reply("http_503")),
        (
            f"HTTP/1.1 503 Busy\r\nretry-after: {formatdate(START_MS // 1000 + 60, usegmt=True)}\r\n"
            "content-length: 0\r\n\r\n".encode(),
            Reply("http_503", 60_000),
        ),
        (b"ICY 200 OK\r\n\r\n", Reply("broken_off")),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * (ANSWER_BYTES_MAX + 1), Reply()),
    ],
)
async def test_what_a_receiver_says_is_a_code(answer, reply):
    async with serving() as server:
        server.answer = answer
        assert reply == await post(*ours(server.port))
    assert 1 == len(server.heard)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nx"], ids=["silent", "stuck"])
async def test_a_receiver_that_hangs_is_given_up(monkeypatch, answer):
    monkeypatch.setattr(receivers, "ATTEMPT_S", 0.05)
    async with serving() as server:
        server.answer = answer
        assert Reply("timeout") == await post(*ours(server.port))


async def test_a_name_server_that_hangs_is_given_up_too(monkeypatch):
    monkeypatch.setattr(receivers, "ATTEMPT_S", 0.05)

    async def resolve(host, port):
        await asyncio.Event().wait()

    assert Reply("timeout") == await post(HttpReceivers(ManualClock(), resolve=resolve), "https://crm.example/")


async def test_nobody_there_is_a_code():
    assert Reply("unreachable") == await post(*ours(1))


async def test_a_name_without_addresses_is_a_code():
    async def resolve(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert Reply("unreachable") == await post(HttpReceivers(ManualClock(), resolve=resolve), "https://crm.example/")


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], ["203.119.1.1", "169.254.169.254"], ["::ffff:127.0.0.1"], []]
)
async def test_a_host_with_a_private_address_is_never_called(addresses):
    async with serving() as server:
        way = HttpReceivers(ManualClock(), resolve=resolving(addresses))
        assert Reply("address") == await post(way, f"https://crm.example:{server.port}/")
    assert 0 == server.connections


async def test_an_origin_that_the_operator_has_withdrawn_is_not_called_in_the_clear():
    way = HttpReceivers(ManualClock(), resolve=resolving())  # nobody is even looked up
    assert Reply("address") == await post(way, "http://crm.example/")


async def test_the_address_that_was_judged_is_called_under_the_name_of_its_host(monkeypatch):
    """A second answer of the name server would lead elsewhere, and the certificate is the host's."""
    monkeypatch.setattr(public_addresses, "is_public", lambda address: address == "127.0.0.1")
    authority = trustme.CA()
    serves, trusts = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("crm.example").configure_cert(serves)
    authority.configure_trust(trusts)
    async with serving(serves) as server:
        resolve = resolving(["127.0.0.1"], ["10.0.0.1"])
        way = HttpReceivers(ManualClock(), resolve=resolve, verify=trusts)
        assert Reply() == await post(way, f"https://crm.example:{server.port}/", times=2)
        elsewhere = HttpReceivers(ManualClock(), resolve=resolving(["127.0.0.1"]), verify=trusts)
        assert Reply("unreachable") == await post(elsewhere, f"https://other.example:{server.port}/")
    assert b"host: crm.example:%d\r\n" % server.port in server.heard[0].lower()


GOOD = [
    "https://crm.example/",
    "https://crm.example",
    "https://crm.example:8443/a?b=c&d=%20",
    "https://[2606:4700::1]/",
    "https://203.119.1.1/",
    "https://localhost.example/",
]
WRONG = [
    "http://crm.example/",
    "https://",
    "https:///path",
    "https://user:word@crm.example/",
    "https://crm.example@10.0.0.1/",
    "https://crm.example\\@10.0.0.1/",
    "https://crm.example/#part",
    "https://crm.example/ a",
    "https://crm.example:0/",
    "https://crm.example:65536/",
    "https://纤.example/",
    "ftp://crm.example/",
    "file:///etc/passwd",
    "https://crm.example/" + "a" * URL_CHARACTERS_MAX,
    "http://crm.internal/",
    "http://crm.internal:8080.evil.example/",
    "https://127.0.0.1/e",
    "https://127.1/e",
    "https://0x7f000001/e",
    "https://2130706433/e",
    "https://10.0.0.1:8443/e",
    "https://169.254.169.254/e",
    "https://[::1]/e",
    "https://[::ffff:127.0.0.1]/e",
    "https://[:::]/e",
    "https://localhost/e",
    "https://LocalHost./e",
    "https://crm.localhost/e",
]


@pytest.mark.parametrize("url", [*GOOD, "http://crm.internal:8080/events", "https://[::1]/events"])
def test_a_url_that_events_may_be_sent_to(url):
    assert HttpReceivers(ManualClock(), ["http://crm.internal:8080", "https://[::1]"]).check(url) is None


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_they_may_not(url):
    with pytest.raises(Malformed) as caught:
        HttpReceivers(ManualClock(), ["http://crm.internal:8080"]).check(url)
    assert "webhook_url" == caught.value.code


def test_the_longest_url_is_taken():
    longest = "https://crm.example/".ljust(URL_CHARACTERS_MAX, "a")
    assert HttpReceivers(ManualClock()).check(longest) is None
