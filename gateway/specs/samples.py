"""The form of a spec's samples: recorded requests and answers, and what each must come to. Unknown keys are refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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


class Said(Table):
    """An answer of ours that is to be sent."""

    conversation: str
    text: str
    reply: Mapping[str, Any] | None = None
    id: str = "delivery1"


class ExpectedRequest(Table):
    """What is to be sent for it."""

    url: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    json_: Any = Field(None, alias="json")
    form: Mapping[str, str] | None = None


class Answered(Table):
    """What the platform answers, and what that means."""

    status: int = Field(ge=100, le=599)
    headers: Mapping[str, str] = {}
    body: str = ""
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


class Samples(Table):
    """Recorded requests, and the secrets that these are signed with: published or made up, never an account's own."""

    secrets: Mapping[Name, str] = {}
    fields: Mapping[Name, str] = {}
    received: tuple[Received, ...] = Field(min_length=3)
    sent: tuple[Sent, ...] = ()
