"""Whether a spec's samples show all that it says: what no sample has is a mistake, or nobody has ever seen it."""

from collections.abc import Iterable, Iterator, Sequence

from crdt_sync.errors import Malformed
from gateway.outbound import Sent
from gateway.specs import model, samples
from gateway.specs.answers import Reply, chosen, outcome_of
from gateway.specs.bodies import Body, at, decoded, taken_apart
from gateway.specs.calls import fetched_scope, own_scope, reply_of, sent_scope
from gateway.specs.channel import Described, asking_scope
from gateway.specs.expressions import Expression, Scope, Source, text_of
from gateway.specs.mapping import kind_of, part_scopes, scope_of
from gateway.specs.signature import Signed
from gateway.specs.walk import Place, compiled, expressions

Unshown = Iterator[tuple[Place, str, str]]


def unshown(channel: Described) -> Unshown:
    """What the spec says and no sample has, each with its place, a code, and a sentence."""
    spec = channel.spec
    scopes = [one for received in spec.samples.received for one in _scopes(channel, received)]
    yield from _proving(channel)
    yield from _shaken(channel)
    yield from _taken(channel)
    yield from _mapped(spec.inbound, scopes)
    yield from _ruled(spec.inbound, scopes)
    if spec.inbound.accept and all(one.expect.refused != "receiver" for one in spec.samples.received):
        yield ("inbound", "accept"), "field_missing", "no sample is for another account: `refused: receiver`."
    if spec.outbound is not None and spec.samples.sent:
        yield from _requested(spec, spec.outbound)
        yield from _answered(spec, spec.outbound)
        yield from _granted(spec, spec.outbound)
    if spec.media is not None:
        yield from _fetched(spec, spec.media)


def _proving(channel: Described) -> Unshown:
    """What `verify` takes of a request that no sample has."""
    asked = [
        Signed(one.request, channel.fields, scope["body"])
        for one in channel.spec.samples.received
        for scope in _asking(channel, one)
    ]
    for place, source in compiled(channel.spec.inbound, ("inbound",)):
        if not isinstance(source, Source) or source.place not in {"header", "query", "body"}:
            continue
        if not any(signed.bytes_of(source, {}) for signed in asked):
            yield place, "field_missing", f"no sample has {source.text}."


def _shaken(channel: Described) -> Unshown:
    answered = [one for one in channel.spec.samples.received if one.expect.answer is not None]
    scopes = [scope for one in answered for scope in _asking(channel, one)]
    for number, rule in enumerate(channel.spec.inbound.handshake):
        place = ("inbound", "handshake", number)
        asked = [scope for scope in scopes if rule.when.holds(scope)]
        if not asked:
            yield place, "field_missing", "no sample is answered so."
        for name, answer in (("text", rule.text), ("json", rule.json_)):
            yield from _lacking_below(answer, (*place, name), asked) if asked else ()


def _taken(channel: Described) -> Unshown:
    """The fields by which a body is read and taken apart that no sample has."""
    inbound = channel.spec.inbound
    bodies = [scope["body"] for one in channel.spec.samples.received for scope in _asking(channel, one)]
    for name in ("json_strings", "forget"):
        for number, path in enumerate(getattr(inbound.decode, name)):
            if all(at(body, path) is None for body in bodies):
                yield ("inbound", "decode", name, number), "field_missing", f"no sample has {path}."
    for number, path in enumerate(inbound.iterate):
        if not any(item is not None for body in bodies for _, item in _items(path, body)):
            yield ("inbound", "iterate", number), "field_missing", f"no sample has {path}."


def _mapped(inbound: model.Inbound, scopes: Sequence[Scope]) -> Unshown:
    for name in ("conversation", "sender", "name", "sent_at", "type", "reply"):
        yield from _lacking_below(getattr(inbound.map, name), ("inbound", "map", name), scopes)
    for name in ("keys", "fingerprint", "order"):
        yield from _lacking_below(getattr(inbound, name), ("inbound", name), scopes)
    for number, kind in enumerate(inbound.map.kinds):
        place = ("inbound", "map", "kinds", number)
        yield from _lacking((*place, "when"), kind.when, scopes)
        of_kind = [scope for scope in scopes if kind_of(inbound, scope) is kind]
        if not of_kind:
            yield place, "field_missing", "no sample is of this kind."
            continue
        for each, part in enumerate(kind.parts):
            yield from _lacking_below(part.each, (*place, "parts", each, "each"), of_kind)
            pieces = [piece for scope in of_kind for piece in part_scopes(part, scope)]
            yield from _lacking_below(part.model_copy(update={"each": None}), (*place, "parts", each), pieces)
        yield from _lacking_below(kind.notice, (*place, "notice"), of_kind)
        yield from _stateless(kind.notice, (*place, "notice"), of_kind)


def _ruled(inbound: model.Inbound, scopes: Sequence[Scope]) -> Unshown:
    """The rules that cannot be applied to a sample, and what they compare that no sample has."""
    for name in ("accept", "ignore", "order"):
        for place, rule in expressions(getattr(inbound, name), ("inbound", name)):
            yield from _inapplicable(place, rule, scopes)
    for name in ("accept", "ignore"):
        yield from _lacking_below(getattr(inbound, name), ("inbound", name), scopes)
    for number, rule in enumerate(inbound.ignore):
        if not any(rule.holds(scope) for scope in scopes):
            yield ("inbound", "ignore", number), "field_missing", "no sample is left out by this."


def _stateless(notice: model.Notice | None, place: Place, scopes: Sequence[Scope]) -> Unshown:
    states = {text_of(_found(notice.state, scope)) for scope in scopes} if notice is not None else set()
    for name in notice.states if notice is not None else ():
        if name not in states:
            yield (*place, "states", name), "field_missing", f"no sample has the state {name}."


def _requested(spec: model.Spec, outbound: model.Outbound) -> Unshown:
    scopes = [sent_scope(spec, sent) for sent in spec.samples.sent]
    for number, request in enumerate(outbound.requests):
        place = ("outbound", "requests", number)
        made = [scope for scope in scopes if _is_chosen(request, outbound, scope)]
        if not made:
            yield place, "field_missing", "no sample makes this request."
        else:
            yield from _lacking_below(request, place, made)


def _answered(spec: model.Spec, outbound: model.Outbound) -> Unshown:
    replies = [reply_of(answer) for sent in spec.samples.sent for answer in sent.answers]
    judged = [one for one in replies if outbound.auth is None or not outbound.auth.refused.holds(one.scope)]
    scopes = [one.scope for one in replies]
    for number, rule in enumerate(outbound.classify):
        place = ("outbound", "classify", number)
        yield from _lacking((*place, "when"), rule.when, scopes)
        if not any(_decides(rule, outbound, one) for one in judged):
            yield place, "field_missing", "no sample's answer means this."
    taken = [one.scope for one in judged if _is_sent(outbound, one)]
    yield from _lacking(("outbound", "success"), outbound.success, scopes)
    if not taken:
        yield ("outbound", "success"), "field_missing", "no sample's answer is a success."
    else:
        yield from _lacking_below(outbound.message_id, ("outbound", "message_id"), taken)
    yield from _lacking_below(outbound.retry_after, ("outbound", "retry_after"), scopes)


def _granted(spec: model.Spec, outbound: model.Outbound) -> Unshown:
    auth, granted = outbound.auth, spec.samples.token
    if auth is None:
        return
    place = ("outbound", "auth")
    if granted is None:
        yield place, "field_missing", "no sample shows how a token is fetched: `samples.token`."
        return
    yield from _lacking_below(auth.request, (*place, "request"), [own_scope(spec)])
    for name in ("token", "lives_s"):
        yield from _lacking_below(getattr(auth, name), (*place, name), [reply_of(granted.answer).scope])
    replies = [reply_of(answer).scope for sent in spec.samples.sent for answer in sent.answers]
    yield from _lacking((*place, "refused"), auth.refused, replies)
    if not any(auth.refused.holds(scope) for scope in replies):
        yield (*place, "refused"), "field_missing", "no sample's answer refuses the token."


def _fetched(spec: model.Spec, media: model.Media) -> Unshown:
    fetched = spec.samples.fetched
    if not fetched:
        yield ("media",), "field_missing", "no sample shows how a content is fetched: `samples.fetched`."
        return
    asking = [fetched_scope(spec, one, answered=False) for one in fetched]
    yield from _lacking_below(media.ask, ("media", "ask"), asking)
    loading = [fetched_scope(spec, one, answered=True) for one in fetched]
    yield from _lacking_below(media.download, ("media", "download"), loading)


def _lacking_below(value: object, place: Place, scopes: Sequence[Scope]) -> Unshown:
    for below, one in expressions(value, place):
        yield from _lacking(below, one, scopes)


def _lacking(place: Place, expression: Expression, scopes: Sequence[Scope]) -> Unshown:
    """An expression finds something in a sample, and so does each path in it: of two alternatives both are shown."""
    missing = next((one for one in _looked_up(expression) if not any(_has(one, scope) for scope in scopes)), None)
    if missing is not None:
        yield place, "field_missing", f"no sample has what {missing.text} looks for."


def _looked_up(expression: Expression) -> Iterable[Expression]:
    return (*expression.lookups(), expression)


def _inapplicable(place: Place, expression: Expression, scopes: Sequence[Scope]) -> Unshown:
    try:
        for scope in scopes:
            expression(scope)
    except Malformed as error:
        yield place, "expression", f"to a sample: {error.message}"


def _found(expression: Expression, scope: Scope) -> object:
    try:
        return expression(scope)
    except Malformed:  # the sample's own finding says so
        return None


def _has(expression: Expression, scope: Scope) -> bool:
    found = _found(expression, scope)
    return isinstance(found, float | dict | bool) or text_of(found) not in {None, ""} or found not in (None, "", [])


def _is_chosen(request: model.Request, outbound: model.Outbound, scope: Scope) -> bool:
    try:
        return chosen(outbound.requests, scope) is request
    except Malformed:
        return False


def _decides(rule: model.Rule, outbound: model.Outbound, reply: Reply) -> bool:
    return next((one for one in outbound.classify if one.when.holds(reply.scope)), None) is rule


def _is_sent(outbound: model.Outbound, reply: Reply) -> bool:
    try:
        return isinstance(outcome_of(outbound, reply), Sent)
    except Malformed:
        return False


def _items(path: str, body: object) -> list[tuple[Body, object]]:
    try:
        return taken_apart((path,), body) if isinstance(body, dict) else []
    except Malformed:
        return []


def _asking(channel: Described, received: samples.Received) -> list[Scope]:
    request = received.request
    body: Body = {}
    try:
        if received.method == "POST":
            body = decoded(channel.spec.inbound.decode, request.body, channel.secrets)
    except Malformed:
        return []
    return [asking_scope(request, received.method, body, channel.fields)]


def _scopes(channel: Described, received: samples.Received) -> list[Scope]:
    if received.method == "GET" or received.expect.refused is not None or received.expect.answer is not None:
        return []
    try:
        return [scope_of(told, channel.fields) for told in channel.told(received.request)]
    except Malformed:
        return []
