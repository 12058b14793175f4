"""What an operator says of an identity provider: how to reach it, and who comes in as what. Reaches nothing itself."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.ids import NAME_PATTERN
from crdt_sync.references import Secret
from crdt_sync.server.addresses import is_safe
from crdt_sync.service.sign_in import DEVELOPMENT, PASSWORD

_Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN.pattern}$", max_length=64)]


def _safe(url: str) -> str:
    if not is_safe(url):
        raise ValueError("must be an https URL")
    return url


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if f"{parts.scheme}://{parts.netloc}" != text or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an origin reads https://desk.example, without a path")
    return text


Url = Annotated[str, AfterValidator(_safe)]
NetworkOrigin = Annotated[str, AfterValidator(_origin)]
PageOrigin = Annotated[NetworkOrigin, AfterValidator(_safe)]


class Rule(BaseModel):
    """Lets people in: those of whom the provider says that `claim` is `value`, or has it among others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    value: str | int
    department: _Name
    roles: Annotated[tuple[_Name, ...], Field(max_length=15)] = ()

    @model_validator(mode="after")
    def _of_people(self) -> Self:
        if self.department == GATEWAY:
            raise ValueError("a gateway is no department of people")
        return self


class _Provider(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    """Stands before the names of its people: `name:person`."""
    label: dict[str, str]
    """What its button says, by language: `en` and `zh`."""
    client_id: str
    people: Annotated[tuple[Rule, ...], Field(min_length=1)]
    """The first that fits counts; whom none fits does not come in."""

    @field_validator("name")
    @classmethod
    def _its_own(cls, name: str) -> str:
        if name in {PASSWORD, DEVELOPMENT}:
            raise ValueError("another way to sign in has this name")
        return name

    @field_validator("label")
    @classmethod
    def _both(cls, label: dict[str, str]) -> dict[str, str]:
        if set(label) != {"en", "zh"}:
            raise ValueError("a label has the languages en and zh")
        return label


class OidcSettings(_Provider):
    """A provider that speaks OpenID Connect."""

    kind: Literal["oidc"]
    issuer: Url
    client_secret: Secret | None = None
    scopes: tuple[str, ...] = ("openid",)
    person: str = "sub"
    """The claim that names a person, for ever and no other."""


class DingTalkSettings(_Provider):
    """An internal application of a DingTalk organisation."""

    kind: Literal["dingtalk"]
    client_secret: Secret
    corp_id: str
    """The organisation whose people these are."""
    login: Url = "https://login.dingtalk.com"
    api: Url = "https://api.dingtalk.com"
    former_api: Url = "https://oapi.dingtalk.com"


ProviderSettings = Annotated[OidcSettings | DingTalkSettings, Field(discriminator="kind")]
