"""What a spec of the right form may still not say: rules over what stands in it, without running it."""

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from crdt_sync.public_addresses import is_private, place_of
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.accounts import WRITTEN, DescribedAccount
from gateway.specs import model
from gateway.specs.answers import delivery_scope
from gateway.specs.expressions import Document, Expression, Source, Template
from gateway.specs.model import Spec
from gateway.specs.reading import Finding, Lines
from gateway.specs.walk import Place, compiled, expressions

_SECRETIVE = re.compile(r"secret|token|password|passwd|signature|api_?key|authorization|private|credential|passphrase")
_SECRETIVE_WORD = re.compile(r"(?:^|_)(?:sign|sig|auth|pass|passcode|pwd|pin|hmac)(?:_|$)")
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DRAWN = re.compile(r"[A-Za-z0-9+=_-]{20,}")
_ASKED = frozenset({"headers", "body", "item", "piece", "account"})
_ANSWERED = frozenset({"status", "headers", "body"})
_SENT = frozenset({"delivery", "reply", "account", "auth", "origin", "now_ms", "in_a_minute_ms"})
_FETCHED = frozenset({"media", "account", "auth", "origin", "answer"})
_KNOWN = {"delivery": frozenset(delivery_scope(Delivery())), "media": {"id", "parts", "type"}, "auth": {"token"}}

Found = Iterator[tuple[Place, str, str]]


def broken(spec: Spec, lines: Lines) -> list[Finding]:
    """Every rule that a spec breaks, with its line."""
    rules = (_secrets, _names, _places, _addresses, _written, _forms, _calls, _accounts)
    found = {one for rule in rules for one in rule(spec)}
    return sorted((Finding(lines.of(place), code, message) for place, code, message in found), key=lambda one: one.line)


def _secrets(spec: Spec) -> Found:
    """Secrets are declared, used, and compared in `verify` alone."""
    used: set[str] = set()
    for _, found in compiled(spec):
        if isinstance(found, Source) and found.place == "secret":
            used.add(found.name)
        for name in _secret_lookups(found):
            used.add(name)
    used |= {key.secret for key in _keys(spec)}
    if spec.inbound.decode.codec is not None:
        used.add(spec.inbound.decode.codec.secret)
    for place, found in compiled(spec):
        writes = isinstance(found, Template | Document) and place[0] in {"outbound", "media"}
        for _, one in expressions(found, place):
            if any(root.name in {"secret", "secrets", "@"} for root in one.roots()) and not (writes and one.is_lookup):
                yield place, "secret_compared", "a secret is compared in `verify` alone, which takes constant time."
            whole = any(root.name in {"headers", "query"} and root.field is None for root in one.roots())
            for fields, held in one.comparisons():
                if held and (whole or any(map(_is_secretive, fields))):
                    yield place, "secret_compared", "this looks like a secret: `verify` alone compares one."
    for name in sorted(used - set(spec.secrets)):
        yield ("secrets",), "secret_unknown", f"the secret {name} is used, and not declared."
    for name in sorted(set(spec.secrets) - used):
        yield ("secrets",), "unused", f"the secret {name} is declared, and not used."
    for number, name in enumerate(spec.fields):
        if _is_secretive(name):
            yield ("fields", number), "secret_written", f"{name} sounds like a secret: declare it under `secrets`."


def _names(spec: Spec) -> Found:
    """What an expression looks up is there."""
    for place, one in expressions(spec):
        for root in one.roots():
            if root.name == "account" and root.field not in {*spec.fields, "id"}:
                yield place, "field_unknown", f"account.{root.field} is not among `fields`."
            if root.name == "origin" and root.field not in spec.origins:
                yield place, "host", f"origin.{root.field} is not among `origins`."
            known = _KNOWN.get(root.name)
            if known is not None and root.field is not None and root.field not in known:
                yield (
                    place,
                    "field_unknown",
                    f"{root.name}.{root.field} is nothing; there are {', '.join(sorted(known))}.",
                )
            if root.name == "reply" and root.field not in spec.inbound.map.reply:
                yield place, "field_unknown", f"reply.{root.field} is not among `map.reply`."
    for place, found in compiled(spec):
        if isinstance(found, Source) and found.place == "account" and found.name not in spec.fields:
            yield place, "field_unknown", f"account.{found.name} is not among `fields`."


def _places(spec: Spec) -> Found:
    """An expression looks at nothing that is not there where it stands."""
    inbound, outbound, media = spec.inbound, spec.outbound, spec.media
    yield from _only(_ASKED | {"method", "query"}, inbound.handshake, ("inbound", "handshake"))
    for name in ("accept", "ignore", "keys", "fingerprint", "order", "map"):
        yield from _only(_ASKED, getattr(inbound, name), ("inbound", name))
    for at, _ in expressions(inbound.ack, ("inbound", "ack")):
        yield at, "name_unknown", "the acknowledgement is the same for all that comes: it looks at nothing."
    if outbound is not None:
        for name in ("success", "message_id", "classify", "retry_after"):
            yield from _only(_ANSWERED, getattr(outbound, name), ("outbound", name))
        yield from _only(_SENT | {"secret"}, outbound.requests, ("outbound", "requests"))
        if outbound.auth is not None:
            request = ("outbound", "auth", "request")
            yield from _only(frozenset({"account", "origin", "secret"}), outbound.auth.request, request)
            for name in ("token", "lives_s", "refused"):
                yield from _only(_ANSWERED, getattr(outbound.auth, name), ("outbound", "auth", name))
    if media is not None:
        yield from _only(_FETCHED | {"secret"}, media, ("media",))


def _only(names: Iterable[str], value: object, place: Place) -> Found:
    for at, one in expressions(value, place):
        for root in one.roots():
            if root.name not in names and root.name not in {"secrets", "@"}:
                known = ", ".join(sorted(names))
                yield at, "name_unknown", f"{root.name} is nothing here; an expression may look at {known}."


def _addresses(spec: Spec) -> Found:
    """Nothing is called but the platform's hosts, which are none of our network: only an account's own may be."""
    media = spec.media.told if spec.media is not None else ()
    outbound = spec.outbound.told if spec.outbound is not None else ()
    named: list[tuple[Place, str | None]] = [(("origins", name), origin) for name, origin in spec.origins.items()]
    named += [(("media", "told", number), origin) for number, origin in enumerate(media)]
    named += [(("outbound", "told", number), origin) for number, origin in enumerate(outbound)]
    for at, origin in named:
        place = place_of((origin or "").replace("*.", ""))
        if place is not None and is_private(place.host):
            yield at, "host", f"{place.host} is no platform: it is an address of our own network."
    for call, request, told in _requests(spec):
        at = (*call, "url")
        first = request.url.pieces[0] if request.url.pieces else ""
        if isinstance(first, str):
            host = first.partition("://")[2].partition("/")[0] or first
            yield at, "host", f"the host {host} is not among the platform's: begin with {{origin.NAME}}/."
            continue
        names = {root.name for root in first.roots()}
        if names == {"origin"} and first.is_lookup:
            second = request.url.pieces[1] if len(request.url.pieces) > 1 else "/"
            if not isinstance(second, str) or not second.startswith("/"):
                yield at, "host", "a path begins with / right behind the origin."
        elif not (names <= {"reply", "answer", "media"} and len(request.url.pieces) == 1 and told):
            yield at, "host", "an address that somebody tells us stands alone, and `told` says where it may lead."


def _written(spec: Spec) -> Found:
    """No secret stands in the file."""
    for place, found in compiled(spec):
        for text in _literals(found):
            if any(_is_drawn(one) for one in _DRAWN.findall(text)):
                yield place, "secret_written", "this looks like a secret: name it as secret.NAME."
    for place, request, _ in _requests(spec):
        for part in ("headers", "query", "form"):
            given: Mapping[str, Template] = getattr(request, part) or {}
            for name, value in given.items():
                roots = {root.name for one in value.expressions() for root in one.roots()}
                if _is_secretive(name) and not roots & {"secret", "auth"}:
                    yield (*place, part, name), "secret_written", f"{name} must be a secret: name it as secret.NAME."


def _forms(spec: Spec) -> Found:
    """Things that only make sense together."""
    inbound = spec.inbound
    rules: list[tuple[Place, model.Verify]] = [(("inbound", "verify"), inbound.verify)]
    for number, one in enumerate(inbound.handshake):
        if one.verify is not None:
            rules.append((("inbound", "handshake", number, "verify"), one.verify))
        if (one.text is None) == (one.json_ is None):
            yield ("inbound", "handshake", number), "form", "a handshake is answered by `text` or by `json`."
    for at, rule in rules:
        if rule.how.startswith("hmac") != (rule.key is not None):
            yield at, "form", "an HMAC has a `key`, and nothing else has."
        if (rule.encoding == "text") != (rule.how == "equals") and rule.encoding != "base64":
            yield at, "form", "`encoding: text` is for `equals`, `hex` for digests."
        if not any(source.place == "secret" for source in rule.over) and rule.key is None:
            yield at, "form", "nothing secret is in it, so anybody could sign."
    for number, path in enumerate(inbound.iterate):
        if not path.endswith("[]"):
            yield ("inbound", "iterate", number), "form", "the path ends with the list: []."
    for number, kind in enumerate(inbound.map.kinds):
        if (kind.notice is not None) == bool(kind.parts or kind.event):
            yield ("inbound", "map", "kinds", number), "form", "a kind has `parts`, an `event`, or a `notice`."
        for place, part in enumerate(kind.parts):
            if not part.model_fields_set - {"each", "name"}:
                yield ("inbound", "map", "kinds", number, "parts", place), "form", "the part has no content."


def _calls(spec: Spec) -> Found:
    """What makes sense of an answer and of a content."""
    outbound, media = spec.outbound, spec.media
    if outbound is not None and outbound.idempotent and not _names_the_delivery(outbound):
        yield ("outbound", "idempotent"), "form", "no request names delivery.uuid or delivery.id."
    if media is not None and media.download.method != "GET":
        yield ("media", "download", "method"), "form", "a content is downloaded by GET."


def _accounts(spec: Spec) -> Found:
    """No spec has the name of code, and the accounts that come with it bring what it asks for."""
    if spec.channel in WRITTEN:
        yield ("channel",), "account", f"the channel {spec.channel} is code, and no spec has its name."
        return
    names: set[str] = set()
    for number, given in enumerate(spec.accounts):
        try:
            account = DescribedAccount.model_validate({**given, "channel": spec.channel})
        except ValidationError as error:
            for one in error.errors():
                yield ("accounts", number, *one["loc"]), "account", f"{_dotted(one['loc'])}: {one['msg']}."
            continue
        place = ("accounts", number)
        if account.account in names:
            yield place, "account", f"the account {account.account} stands twice."
        names.add(account.account)
        asked = ((account.secrets, spec.secrets), (account.fields, spec.fields))
        for name in sorted({name for brought, asks in asked for name in brought.keys() ^ set(asks)}):
            yield place, "account", f"the account and the spec disagree about {name}."
        own = {name for name, origin in spec.origins.items() if origin is None}
        for name in sorted((account.origins.keys() - spec.origins.keys()) | (own - account.origins.keys())):
            yield place, "account", f"the account and the spec disagree about the origin {name}."


def _dotted(place: Place) -> str:
    return ".".join(map(str, place)) or "account"


def _names_the_delivery(outbound: model.Outbound) -> bool:
    roots = {(root.name, root.field) for _, one in expressions(outbound.requests) for root in one.roots()}
    return bool(roots & {("delivery", "uuid"), ("delivery", "id")})


def _requests(spec: Spec) -> Iterator[tuple[Place, model.Request, bool]]:
    """Every request, and whether it may go where somebody tells us."""
    if (outbound := spec.outbound) is not None:
        for number, request in enumerate(outbound.requests):
            yield ("outbound", "requests", number), request, bool(outbound.told)
        if outbound.auth is not None:
            yield ("outbound", "auth", "request"), outbound.auth.request, False
    if (media := spec.media) is not None:
        if media.ask is not None:
            yield ("media", "ask"), media.ask, False
        yield ("media", "download"), media.download, bool(media.told)


def _keys(spec: Spec) -> Iterator[model.Key]:
    for rule in (spec.inbound.verify, *(one.verify for one in spec.inbound.handshake)):
        if rule is not None and rule.key is not None:
            yield rule.key


def _secret_lookups(found: object) -> Iterator[str]:
    for _, one in expressions(found):
        yield from (root.field for root in one.roots() if root.name == "secret" and root.field)


def _literals(found: object) -> Iterator[str]:
    match found:
        case Expression():
            yield from found.literals()
        case Source(place="text", name=text):
            yield text
        case Template(pieces=pieces):
            yield from (piece for piece in pieces if isinstance(piece, str))
        case Document():
            for _, template in found.templates():
                yield from _literals(template)
        case _:
            return
    for _, one in expressions(found) if isinstance(found, Template) else ():
        yield from one.literals()


def _is_secretive(name: str) -> bool:
    """Whether a name is one that secrets have, written in whatever way."""
    words = _WORD_BEGINS.sub("_", name).replace("-", "_").lower()
    return bool(_SECRETIVE.search(words) or _SECRETIVE_WORD.search(words))


def _is_drawn(text: str) -> bool:
    """Whether somebody drew it by chance: letters and several digits among each other."""
    return sum(one.isdigit() for one in text) >= 3 and sum(one.isalpha() for one in text) >= 3
