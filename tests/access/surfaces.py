"""Every surface of a running service, asked by one caller for what a row of the matrix names."""

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory

from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2, gateway_pb2_grpc
from tests.access.site import edit_of, envelope
from tests.access.wires import PATIENCE_S, WATCHES, WIRES, bytes_of


async def ask_route(site, row, caller, heard):
    """Make the request of a row; return "ok", the code of the refusal, or the status of what is no problem."""
    if row.key == "GET /events":
        answer = await WATCHES["stream"](site.running, site.tokens[caller], await site.newest(), heard)
        return answer if isinstance(answer, str) else "ok"
    method = "GET" if row.method == "*" else row.method
    answer = await site.running.http.request(
        method,
        await site.fill_in(row.address, caller),
        json=await site.fill_in(row.json, caller),
        content=row.content,
        headers=site.headers(caller),
    )
    site.running.http.cookies.clear()
    heard += [answer.content, str(answer.headers).encode()]
    if answer.status_code < 400:
        return "ok"
    problem = answer.headers["content-type"] == "application/problem+json"
    return answer.json()["code"] if problem else str(answer.status_code)


async def ask_rpc(site, row, caller, heard):
    """Make the call of a row."""
    service, _, name = row.key.partition("/")
    method = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)
    request_class = message_factory.GetMessageClass(method.input_type)
    request = json_format.ParseDict(await site.fill_in(row.request, caller), request_class())
    if name == "Ingest":
        request.envelopes.append(envelope("first", "wordcustomer"))
    call = site.running.channel.unary_stream(  # of a call that does not stream, a stream of one answer
        f"/{row.key}",
        request_serializer=request_class.SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    try:
        async for answer in call(request, metadata=site.metadata(caller), timeout=20):
            heard.append(answer.SerializeToString())
    except grpc.aio.AioRpcError as error:
        heard.append(bytes_of(error))
        return code_of(error) or error.code().name
    return "ok"


async def ask_claim(site, metadata, heard, **request):
    """Claim until one part came, which goes back with the end of the stream; or return the code of the refusal."""
    stub = gateway_pb2_grpc.EgressServiceStub(site.running.channel)
    call = stub.Claim(gateway_pb2.ClaimRequest(**request), metadata=metadata, timeout=PATIENCE_S)
    try:
        heard.append((await call.read()).SerializeToString())
    except grpc.aio.AioRpcError as error:
        heard.append(bytes_of(error))
        return code_of(error) or error.code().name
    finally:
        call.cancel()
    return "ok"


class Clients:
    """Client ids, none given twice."""

    def __init__(self):
        self._last = 1_000

    def next(self):
        self._last += 1
        return self._last


async def ask_events(site, wire, caller, heard):
    """Hear every event that there is for a caller over a wire; or return the code of the refusal."""
    return await WATCHES[wire](site.running, site.tokens[caller], await site.newest(), heard)


async def ask_document(site, wire, kind, document, caller, heard, clients):
    """Open, read and write a document over a wire."""
    return await WIRES[wire](site.running, document, site.tokens[caller], edit_of(kind, clients.next()), heard)
