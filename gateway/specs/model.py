"""The form of a channel spec: one chat platform described as data. Unknown keys are refused.

What reads uses expressions, what writes uses templates; see `gateway.specs.expressions`. An expression about a request
sees `method`, `query`, `headers`, `body`, `item` and `account`;
after the acknowledgement `query` and `method` are gone.
A template about an answer sees `delivery`, `reply`, `account`, `auth`, `secret`, `origin` and `now_ms`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints

from gateway.specs.expressions import Document, Expression, Source, Template

Expr = Annotated[Expression, PlainValidator(Expression.of, json_schema_input_type=str)]
Text = Annotated[Template, PlainValidator(Template.of, json_schema_input_type=str)]
Json = Annotated[Document, PlainValidator(Document.of, json_schema_input_type=Any)]
From = Annotated[Source, PlainValidator(Source.of, json_schema_input_type=str)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Path = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,9}$")]
"""Names of fields from the body on, with dots between them."""
ListPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\[\])?(\.[A-Za-z0-9_-]+(\[\])?){0,9}$")]
"""As `Path`, with `[]` behind each name that is a list: `entry[].changes[].value.messages[]`."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+(:[0-9]{1,5})?$")]
ToldOrigin = Annotated[str, StringConstraints(pattern=r"^https://(\*\.)?[a-z0-9.-]+$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Taken(_Table):
    """A value of the request. With `split`, the pieces of it that begin with `prefix`, any of which will do."""

    source: From = Field(alias="from")
    split: str | None = Field(None, min_length=1, max_length=3)
    prefix: str = ""


class SignedTime(Taken):
    """When the platform signed; what is further from now than `tolerance_s` is refused."""

    unit: Literal["s", "ms"] = "s"
    tolerance_s: int = Field(300, ge=1, le=86_400)


class Key(_Table):
    """The secret that keys an HMAC; `prefix` is no part of it."""

    secret: Name
    prefix: str = ""
    encoding: Literal["text", "base64"] = "text"


class Verify(_Table):
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


class Handshake(_Table):
    """How the platform is answered when it checks our address. The first whose `when` holds answers."""

    when: Expr
    verify: Verify | None = None
    """In place of the channel's own."""
    text: Text | None = None
    json_: Json | None = Field(None, alias="json")


class Codec(_Table):
    """A named code that opens a body which is encrypted in one of its fields."""

    name: Literal["feishu"]
    field: Path
    secret: Name


class Decode(_Table):
    """How a body becomes data."""

    form: Literal["json", "form"] = "json"
    codec: Codec | None = None
    json_strings: tuple[Path, ...] = ()
    """Fields that hold JSON as a text."""


class Moment(_Table):
    """A time: of a number, or of a text as RFC 3339 has it."""

    value: Expr
    unit: Literal["s", "ms", "rfc3339"]


class Fingerprint(_Table):
    """What is the same for a message that comes again under another key. If `certain`, it is one more key."""

    of: tuple[Expr, ...] = Field(min_length=1)
    certain: bool = False


class Location(_Table):
    """A place on the map."""

    latitude: Expr
    longitude: Expr
    label: Expr | None = None


class Part(_Table):
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


class Notice(_Table):
    """What became of an answer: the platform's name of it, and what its states mean."""

    message: Expr
    state: Expr
    states: Mapping[str, Literal["delivered", "read", "failed"]] = Field(min_length=1)


class Kind(_Table):
    """What a callback is, if `when` holds; the first that does decides."""

    when: Expr
    author: Literal["customer", "agent"] = "customer"
    """`agent`: somebody of ours, who answered on the platform itself."""
    parts: tuple[Part, ...] = ()
    event: Name | None = None
    """Something that happened, by our name of it."""
    notice: Notice | None = None


class Map(_Table):
    """A callback as an envelope. What is no kind is kept as unknown, under the name that `type` finds."""

    conversation: Expr
    sender: Expr
    name: Expr | None = None
    sent_at: Moment
    type: Expr | None = None
    reply: Mapping[Name, Expr] = {}
    """What an answer to this conversation must know; kept of the newest callback."""
    kinds: tuple[Kind, ...] = Field(min_length=1)


class Ack(_Table):
    """The body of the 200 that makes the platform stop sending."""

    text: str = ""
    json_: Json | None = Field(default=None, alias="json")


class Inbound(_Table):
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


class Request(_Table):
    """A call of the platform, at one of its `origins`."""

    when: Expr | None = None
    method: Literal["POST", "PUT", "GET"] = "POST"
    url: Text
    query: Mapping[str, Text] = {}
    headers: Mapping[str, Text] = {}
    json_: Json | None = Field(None, alias="json")
    form: Mapping[str, Text] | None = None


class Auth(_Table):
    """A token that is fetched, kept, and renewed before it ends; `auth.token` in templates."""

    request: Request
    token: Expr
    lives_s: Expr
    refused: Expr
    """An answer that says that the token is good no more: it is fetched anew, once."""


class Rule(_Table):
    """What an answer that is no success means. `busy` and `token` may be tried again; `unknown` was perhaps sent."""

    when: Expr
    then: Literal["busy", "window_closed", "unknown", "dead"]
    code: Code
    delay_s: int | None = Field(None, ge=0, le=3_600)


class Rate(_Table):
    """At most `burst` at once, and `per_minute` in the long run."""

    burst: int = Field(ge=1, le=10_000)
    per_minute: int = Field(ge=1, le=600_000)


class Window(_Table):
    """How long after the other side's last message one may write, and how many parts until they write again."""

    hours: int = Field(ge=1, le=720)
    parts_max: int | None = Field(None, ge=1)


class Limits(_Table):
    """What the platform allows."""

    account: Rate | None = None
    conversation: Rate | None = None
    window: Window | None = None


class RetryAfter(_Table):
    """Where a busy answer says when to come back; the header of that name is read anyway."""

    value: Expr
    unit: Literal["s", "ms"] = "s"


class TextMax(_Table):
    """How long a text may be."""

    unit: Literal["bytes", "chars"] = "chars"
    value: int = Field(ge=1)


class Outbound(_Table):
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


class Media(_Table):
    """How a content is fetched: `ask` for its address if need be, then `download` it. `media.id` names it."""

    ask: Request | None = None
    download: Request
    told: tuple[ToldOrigin, ...] = ()
    """Where an address that the platform tells may lead; any other is never called."""


class ExpectedCallback(_Table):
    """What one callback must come to."""

    keys: tuple[str, ...] = Field(min_length=1)
    conversation: str
    reply: Mapping[str, Any] = {}
    code: str | None = None
    envelope: Mapping[str, Any] | None = None
    """As JSON of `Envelope`, without what the keys, the conversation and the account say already."""


class Expected(_Table):
    """What a recorded request must come to."""

    refused: str | None = None
    answer: str | None = None
    ignored: int = 0
    callbacks: tuple[ExpectedCallback, ...] = ()


class Received(_Table):
    """A request as the platform sent it."""

    name: str = Field(min_length=1)
    recorded: str = Field(min_length=1)
    """Where it was recorded."""
    method: Literal["GET", "POST"] = "POST"
    at_ms: int = Field(ge=0)
    """When it came."""
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: str = ""
    expect: Expected


class Said(_Table):
    """An answer of ours that is to be sent."""

    conversation: str
    text: str
    reply: Mapping[str, Any] | None = None
    id: str = "delivery1"


class ExpectedRequest(_Table):
    """What is to be sent for it."""

    url: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    json_: Any = Field(None, alias="json")
    form: Mapping[str, str] | None = None


class Answered(_Table):
    """What the platform answers, and what that means."""

    status: int = Field(ge=100, le=599)
    headers: Mapping[str, str] = {}
    body: str = ""
    outcome: Literal["sent", "busy", "window_closed", "unknown", "dead", "token"]
    code: str = ""


class Sent(_Table):
    """An answer that is sent, as the platform would record it."""

    name: str = Field(min_length=1)
    recorded: str = Field(min_length=1)
    at_ms: int = Field(0, ge=0)
    delivery: Said
    request: ExpectedRequest
    answers: tuple[Answered, ...] = Field(min_length=1)


class Samples(_Table):
    """Recorded requests, and the secrets that these are signed with: published or made up, never an account's own."""

    secrets: Mapping[Name, str] = {}
    fields: Mapping[Name, str] = {}
    received: tuple[Received, ...] = Field(min_length=3)
    sent: tuple[Sent, ...] = ()


class Spec(_Table):
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
