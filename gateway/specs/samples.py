"""The form of a spec's samples: recorded requests and answers, and what each must come to. Unknown keys are refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.channels.base import Request

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Table(BaseModel):
    """A table of a spec."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ExpectedCallback(Table):
    """What one callback must come to."""

    keys: tuple[str, ...] = Field(min_length=1)
    conversation: str
    reply: Mapping[str, Any] = {}
    code: str | None = None
    envelope: Mapping[str, Any] | None = None
    """As JSON of `Envelope`, without what the keys, the conversation and the account say already."""


class Expected(Table):
    """What a recorded request must come to."""

    refused: str | None = None
    answer: str | None = None
    ignored: int = 0
    callbacks: tuple[ExpectedCallback, ...] = ()


class Received(Table):
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

    @property
    def request(self) -> Request:
        """The request as it arrives: with names of headers in lower case."""
        return Request(self.query, {name.lower(): value for name, value in self.headers.items()}, self.body.encode())


class Said(Table):
    """An answer of ours that is to be sent."""

    conversation: str
    text: str
    reply: Mapping[str, Any] | None = None
    id: str = "delivery1"
    ticket: str = ""
    author: str = ""


class ExpectedRequest(Table):
    """What the platform is to be asked."""

    method: Literal["POST", "PUT", "GET"] = "POST"
    url: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    json_: Any = Field(None, alias="json")
    form: Mapping[str, str] | None = None


class Answer(Table):
    """What the platform answers."""

    status: int = Field(ge=100, le=599)
    headers: Mapping[str, str] = {}
    body: str = ""


class Answered(Answer):
    """What the platform answers, and what that means."""

    outcome: Literal["sent", "busy", "window_closed", "unknown", "dead", "token"]
    code: str = ""


class Sent(Table):
    """An answer that is sent, as the platform would record it."""

    name: str = Field(min_length=1)
    recorded: str = Field(min_length=1)
    at_ms: int = Field(0, ge=0)
    delivery: Said
    request: ExpectedRequest
    answers: tuple[Answered, ...] = Field(min_length=1)


class Granted(Table):
    """A token that is fetched. It is the one in the other samples."""

    recorded: str = Field(min_length=1)
    request: ExpectedRequest
    answer: Answer
    token: str
    lives_s: int


class Fetched(Table):
    """A content that is fetched: what it is known by, and the requests that come to be made for it."""

    name: str = Field(min_length=1)
    recorded: str = Field(min_length=1)
    id: str = Field(min_length=1)
    type: Literal["image", "voice", "video", "file"]
    ask: ExpectedRequest | None = None
    answer: Answer | None = None
    """To `ask`."""
    download: ExpectedRequest


class Samples(Table):
    """Recorded requests, and the secrets that these are signed with: published or made up, never an account's own."""

    secrets: Mapping[Name, str] = {}
    fields: Mapping[Name, str] = {}
    received: tuple[Received, ...] = ()
    """Three at least: a file that has fewer can be tried, and not be used."""
    sent: tuple[Sent, ...] = ()
    token: Granted | None = None
    fetched: tuple[Fetched, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.received) + len(self.sent) + len(self.fetched) + (self.token is not None)
