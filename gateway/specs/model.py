"""The form of a channel spec: one chat platform described as data. Unknown keys are refused.

What reads uses expressions, what writes uses templates; see `gateway.specs.expressions`. An expression about a request
sees `method`, `query`, `headers`, `body`, `item` and `account`;
after the acknowledgement `query` and `method` are gone.
A template about an answer sees `delivery`, `reply`, `account`, `auth`, `secret`, `origin`, `now_ms`
and `in_a_minute_ms`; one about a content `media` and `answer` in place of the first two.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, StringConstraints

from gateway.specs.expressions import Document, Expression, Source, Template
from gateway.specs.samples import Name, Samples, Table

Expr = Annotated[Expression, PlainValidator(Expression.of, json_schema_input_type=str)]
Text = Annotated[Template, PlainValidator(Template.of, json_schema_input_type=str)]
Json = Annotated[Document, PlainValidator(Document.of, json_schema_input_type=Any)]
From = Annotated[Source, PlainValidator(Source.of, json_schema_input_type=str)]
Path = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,9}$")]
"""Names of fields from the body on, with dots between them."""
ListPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\[\])?(\.[A-Za-z0-9_-]+(\[\])?){0,9}$")]
"""As `Path`, with `[]` behind each name that is a list: `entry[].changes[].value.messages[]`."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$")]
ToldOrigin = Annotated[str, StringConstraints(pattern=r"^https://(\*\.)?[a-z0-9.-]+$")]


class Taken(Table):
    """A value of the request. With `split`, the pieces of it that begin with `prefix`, any of which will do."""

    source: From = Field(alias="from")
    split: str | None = Field(None, min_length=1, max_length=3)
    prefix: str = ""


class SignedTime(Taken):
    """When the platform signed; what is further from now than `tolerance_s` is refused."""

    unit: Literal["s", "ms"] = "s"
    tolerance_s: int = Field(300, ge=1, le=86_400)


class Key(Table):
    """The secret that keys an HMAC; `prefix` is no part of it."""

    secret: Name
    prefix: str = ""
    encoding: Literal["text", "base64"] = "text"


class Verify(Table):
    """How a request proves that it is the platform's. Only here are secrets compared: in constant time."""

    how: Literal["hmac-sha256", "hmac-sha1", "sha256", "sha1", "equals"]
    over: tuple[From, ...] = Field(min_length=1)
    join: str = ""
    sort: bool = False
    """Put the parts into order first."""
    key: Key | None = None
    encoding: Literal["hex", "base64", "text"] = "hex"
    """Of the signature; text only where `how` is `equals`."""
    signature: Taken
    timestamp: SignedTime | None = None
    bodies_max: int | None = Field(None, ge=1, le=100)
    """So many bodies may come with one signature, where it does not cover them."""


class Handshake(Table):
    """How the platform is answered when it checks our address. The first whose `when` holds answers."""

    when: Expr
    verify: Verify | None = None
    """In place of the channel's own."""
    text: Text | None = None
    json_: Json | None = Field(None, alias="json")


class Codec(Table):
    """A named code that opens a body which is encrypted in one of its fields."""

    name: Literal["feishu"]
    field: Path
    secret: Name


class Decode(Table):
    """How a body becomes data."""

    form: Literal["json", "form"] = "json"
    codec: Codec | None = None
    json_strings: tuple[Path, ...] = ()
    """Fields that hold JSON as a text."""
    forget: tuple[Path, ...] = ()
    """What is not kept, such as a token that comes with each callback."""


class Moment(Table):
    """A time: a number, or a text as RFC 3339 or e-mail (RFC 5322) has it."""

    value: Expr
    unit: Literal["s", "ms", "rfc3339", "rfc5322"]


class Fingerprint(Table):
    """What is the same for a message that comes again under another key. If `certain`, it is one more key."""

    of: tuple[Expr, ...] = Field(min_length=1)
    certain: bool = False


class Location(Table):
    """A place on the map."""

    latitude: Expr
    longitude: Expr
    label: Expr | None = None


class Part(Table):
    """A part of what was said: a text, a content by the platform's name of it, or a place. What finds nothing is none.

    With `each`, one for each element of a list, which is `piece` then.
    """

    each: Expr | None = None
    text: Expr | None = None
    image: Expr | None = None
    voice: Expr | None = None
    video: Expr | None = None
    file: Expr | None = None
    name: Expr | None = None
    location: Location | None = None


class Notice(Table):
    """What became of an answer: the platform's name of it, and what its states mean."""

    message: Expr
    state: Expr
    states: Mapping[str, Literal["delivered", "read", "failed"]] = Field(min_length=1)


class Kind(Table):
    """What a callback is, if `when` holds; the first that does decides."""

    when: Expr
    author: Literal["customer", "agent"] = "customer"
    """`agent`: somebody of ours, who answered on the platform itself."""
    parts: tuple[Part, ...] = ()
    event: Name | None = None
    """Something that happened, by our name of it."""
    notice: Notice | None = None


class Map(Table):
    """A callback as an envelope. What is no kind is kept as unknown, under the name that `type` finds."""

    conversation: Expr
    sender: Expr
    name: Expr | None = None
    sent_at: Moment
    type: Expr | None = None
    reply: Mapping[Name, Expr] = {}
    """What an answer to this conversation must know; kept of the newest callback."""
    kinds: tuple[Kind, ...] = Field(min_length=1)


class Ack(Table):
    """The body of the 200 that makes the platform stop sending."""

    text: str = ""
    json_: Json | None = Field(default=None, alias="json")


class Inbound(Table):
    """What the platform tells us."""

    handshake: tuple[Handshake, ...] = ()
    verify: Verify
    decode: Decode = Decode()
    accept: tuple[Expr, ...] = ()
    """What must hold for a callback that is for this account; what else arrives is refused."""
    iterate: tuple[ListPath, ...] = ()
    """Lists whose elements are callbacks of their own: each becomes the same body with one element in each list."""
    ignore: tuple[Expr, ...] = ()
    """What is acknowledged, counted and left out, such as echoes of our own answers."""
    keys: tuple[tuple[Expr, ...], ...] = Field(min_length=1)
    """Each key is a list of expressions. The first is the platform's own name of the thing; what has one of the others
    in common is the same, too."""
    fingerprint: Fingerprint | None = None
    order: tuple[Expr, ...] = ()
    """By what the callbacks of one request are put into order."""
    map: Map
    ack: Ack = Field(default_factory=lambda: Ack.model_validate({}))


class Request(Table):
    """A call of the platform, at one of its `origins`."""

    when: Expr | None = None
    method: Literal["POST", "PUT", "GET"] = "POST"
    url: Text
    query: Mapping[str, Text] = {}
    headers: Mapping[str, Text] = {}
    json_: Json | None = Field(None, alias="json")
    form: Mapping[str, Text] | None = None


class Auth(Table):
    """A token that is fetched, kept, and renewed before it ends; `auth.token` in templates."""

    request: Request
    token: Expr
    lives_s: Expr
    refused: Expr
    """An answer that says that the token is good no more: it is fetched anew, once."""


class Rule(Table):
    """What an answer that is no success means. `busy` and `token` may be tried again; `unknown` was perhaps sent."""

    when: Expr
    then: Literal["busy", "window_closed", "unknown", "dead"]
    code: Code
    delay_s: int | None = Field(None, ge=0, le=3_600)


class Rate(Table):
    """At most `burst` at once, and `per_minute` in the long run."""

    burst: int = Field(ge=1, le=10_000)
    per_minute: int = Field(ge=1, le=600_000)


class Window(Table):
    """How long after the other side's last message one may write, and how many parts until they write again."""

    hours: int = Field(ge=1, le=720)
    parts_max: int | None = Field(None, ge=1)


class Limits(Table):
    """What the platform allows."""

    account: Rate | None = None
    conversation: Rate | None = None
    window: Window | None = None


class RetryAfter(Table):
    """Where a busy answer says when to come back; the header of that name is read anyway."""

    value: Expr
    unit: Literal["s", "ms"] = "s"


class TextMax(Table):
    """How long a text may be."""

    unit: Literal["bytes", "chars"] = "chars"
    value: int = Field(ge=1)


class Outbound(Table):
    """How we answer. Of an answer expressions see `status`, `headers` and `body`."""

    auth: Auth | None = None
    requests: tuple[Request, ...] = Field(min_length=1)
    """The first whose `when` holds is made."""
    success: Expr
    message_id: Expr | None = None
    classify: tuple[Rule, ...] = ()
    retry_after: RetryAfter | None = None
    idempotent: bool = False
    """The platform suppresses a second send of one `delivery.uuid`, which the request names."""
    limits: Limits = Limits()
    text_max: TextMax
    told: tuple[ToldOrigin, ...] = ()
    """Where an address out of a callback may lead; any other is never called."""


class Media(Table):
    """How a content is fetched: `ask` for its address if need be, then `download` it.

    `media.id` names it, and `media.parts` are the pieces of that between slashes.
    """

    ask: Request | None = None
    download: Request
    told: tuple[ToldOrigin, ...] = ()
    """Where an address that the platform tells may lead; any other is never called."""


class Spec(Table):
    """One chat platform. The version is of this form."""

    version: Literal[1]
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    about: str = Field(min_length=1)
    """Where the platform documents what this spec says."""
    secrets: tuple[Name, ...] = ()
    """Names of what an account must bring, by reference alone."""
    fields: tuple[Name, ...] = ()
    """Names of what else an account must say; `account.NAME`."""
    origins: Mapping[Name, Origin | None] = {}
    """The platform's hosts, which are all that is ever called; one without a value is each account's own."""
    inbound: Inbound
    outbound: Outbound | None = None
    media: Media | None = None
    accounts: tuple[Mapping[str, Any], ...] = ()
    """Accounts that come with the file, in the form of `[[gateway_accounts]]`, without their `channel`."""
    samples: Samples
