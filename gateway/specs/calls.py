"""The calls that a spec's samples show: what is asked for a token, an answer and a content, and what comes back."""

from collections.abc import Iterator, Mapping

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Part as EnvelopePart
from gateway.outbound import Dead, Outcome, RetryLater, Sent, Unknown, WindowClosed
from gateway.platforms.addresses import is_allowed
from gateway.specs import samples
from gateway.specs.answers import Call, Reply, call_of, chosen, delivery_scope, outcome_of, times
from gateway.specs.differences import differences
from gateway.specs.expressions import text_of
from gateway.specs.model import Spec

ACCOUNT = "sample"


def own_scope(spec: Spec) -> dict[str, object]:
    """What the request for a token sees."""
    return {
        "account": {**spec.samples.fields, "id": ACCOUNT},
        "secret": spec.samples.secrets,
        "origin": {name: value or "https://own.example" for name, value in spec.origins.items()},
    }


def sent_scope(spec: Spec, sent: samples.Sent) -> dict[str, object]:
    """What the request for an answer sees."""
    said = sent.delivery
    delivery = Delivery(id=said.id, conversation=said.conversation, part=EnvelopePart(text=said.text))
    delivery.ticket, delivery.author_name = said.ticket, said.author
    known = {"delivery": delivery_scope(delivery), "reply": said.reply, **times(sent.at_ms)}
    return {**own_scope(spec), "auth": _auth(spec), **known}


def fetched_scope(spec: Spec, fetched: samples.Fetched, *, answered: bool) -> dict[str, object]:
    """What the requests for a content see; the download sees what was answered, too."""
    media = {"id": fetched.id, "parts": fetched.id.split("/"), "type": fetched.type}
    told = reply_of(fetched.answer).body if answered and fetched.answer is not None else None
    return {**own_scope(spec), "auth": _auth(spec), "media": media, "answer": told}


def reply_of(answer: samples.Answer) -> Reply:
    """A recorded answer."""
    return Reply.of(answer.status, answer.headers, answer.body.encode())


def sending_faults(spec: Spec, sent: samples.Sent) -> Iterator[str]:
    """What is wrong with a sample of an answer that is sent."""
    outbound = spec.outbound
    if outbound is None:
        yield "the spec has no `outbound`."
        return
    try:
        scope = sent_scope(spec, sent)
        request = chosen(outbound.requests, scope)
        call = None if request is None else call_of(request, scope)
        yield from _differing(call, sent.request, outbound.told)
        for answered in sent.answers:
            reply = reply_of(answered)
            refused = outbound.auth is not None and outbound.auth.refused(reply.scope)
            came = ("token", "") if refused else _named(outcome_of(outbound, reply))
            if came != (answered.outcome, answered.code):
                expected = f"{answered.outcome} {answered.code}".strip()
                yield f"answer {answered.status}: expected {expected}, came to {' '.join(came)}."
    except Malformed as error:
        yield error.message


def granting_faults(spec: Spec, granted: samples.Granted) -> Iterator[str]:
    """What is wrong with the sample of a token that is fetched."""
    auth = None if spec.outbound is None else spec.outbound.auth
    if auth is None:
        yield "the spec has no `outbound.auth`."
        return
    try:
        yield from _differing(call_of(auth.request, own_scope(spec)), granted.request)
        scope = reply_of(granted.answer).scope
        came = (text_of(auth.token(scope)), auth.lives_s(scope))
        if came != (granted.token, granted.lives_s):
            yield f"expected the token {granted.token} for {granted.lives_s} s, came to {came[0]} for {came[1]}."
    except Malformed as error:
        yield error.message


def fetching_faults(spec: Spec, fetched: samples.Fetched) -> Iterator[str]:
    """What is wrong with a sample of a content that is fetched."""
    media = spec.media
    if media is None:
        yield "the spec has no `media`."
        return
    if (media.ask is None) != (fetched.ask is None) or (media.ask is None) != (fetched.answer is None):
        yield "`ask` and `answer` are there if the spec has `media.ask`."
        return
    try:
        if media.ask is not None and fetched.ask is not None:
            call = call_of(media.ask, fetched_scope(spec, fetched, answered=False))
            yield from _differing(call, fetched.ask, media.told)
        call = call_of(media.download, fetched_scope(spec, fetched, answered=True))
        yield from _differing(call, fetched.download, media.told)
    except Malformed as error:
        yield error.message


def _auth(spec: Spec) -> Mapping[str, str]:
    return {"token": spec.samples.token.token if spec.samples.token is not None else ""}


def _differing(call: Call | None, wanted: samples.ExpectedRequest, told: tuple[str, ...] = ()) -> Iterator[str]:
    if call is None:
        yield "no request is made for it."
        return
    if call.told and not is_allowed(call.url, told):
        yield f"`told` does not let anybody lead us to {call.url}."
    form = None if call.form is None else dict(call.form)
    made = (call.method, call.url, dict(call.query), dict(call.headers), call.json, form)
    form = None if wanted.form is None else dict(wanted.form)
    expected = (wanted.method, wanted.url, dict(wanted.query), dict(wanted.headers), wanted.json_, form)
    for name, one, other in zip(("method", "url", "query", "headers", "json", "form"), expected, made, strict=True):
        yield from differences(one, other, name)


def _named(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Sent():
            return "sent", ""
        case RetryLater(code=code):
            return "busy", code
        case Unknown(code=code):
            return "unknown", code
        case WindowClosed(code=code):
            return "window_closed", code
        case Dead(code=code):
            return "dead", code
