"""Every setting of the service: its name, its default, and which combinations are unsafe. Opens nothing itself.

A setting comes from the command line, else from `CRDT_SYNC_<NAME>` in the environment, else from `crdt-sync.toml` in
the working directory, else from its default.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyNetwork, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from crdt_sync.errors import Malformed
from crdt_sync.server.addresses import is_loopback, is_safe
from crdt_sync.server.provider_settings import NetworkOrigin, PageOrigin, ProviderSettings

FILE = "crdt-sync.toml"
PREFIX = "CRDT_SYNC_"
GATEWAYS = "gateway_"  # how those names in the file begin that are the chat gateway's, which reads them itself

MetricsReaders = Literal["local", "all", "nobody"]
Port = Annotated[int, Field(ge=0, le=65535)]


class _File(TomlConfigSettingsSource):
    """What the file says to the service."""

    def __call__(self) -> dict[str, object]:
        return {name: value for name, value in super().__call__().items() if not name.startswith(GATEWAYS)}


class Settings(BaseSettings):
    """What an operator may choose; `serve --help` prints it with these descriptions."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file=FILE, extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on, for HTTP and for gRPC", min_length=1)
    port: Port = Field(8000, description="HTTP and WebSocket; 0 takes a free one")
    grpc_port: Port = Field(50051, description="gRPC; 0 takes a free one")
    data: Path = Field(Path("data"), description="directory of the database and the development key")
    database_url: str = Field("", description="default: SQLite in the data directory")
    bus_url: Literal["local:"] = Field("local:", description="only the bus within this process exists as yet")
    auth: Literal["jwt", "none"] = Field("jwt", description="none: no tokens, open documents only, loopback only")
    jwks_url: str | None = Field(None, description="keys of a real issuer; retires the development key")
    jwt_issuer: str | None = Field(None, description="the `iss` that the issuer's tokens must have")
    jwt_audience: str | None = Field(None, description="the `aud` that the issuer's tokens must have")
    origins: tuple[str, ...] = Field((), description="origins of pages on other hosts that may open WebSockets")
    proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), description="addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed"
    )
    websockets: Literal["auto", "picows", "websockets"] = Field(
        "auto", description="the library that reads WebSockets; auto is picows, or websockets where that is missing"
    )
    connections: int = Field(16_000, ge=1, description="connections on the HTTP port; more WebSockets are answered 503")
    tls_certificate: Path | None = Field(None, description="certificate chain in PEM: encrypts both ports")
    tls_key: Path | None = Field(None, description="the certificate's private key in PEM")
    open_documents: bool = Field(default=False, description="serve documents without rules under any other name")
    lifecycle: str = Field("connect-order", description="a shipped lifecycle's name or the path of a file")
    desk: Path | None = Field(None, description="the service desk's file: rules, hours, people and replies")
    outbox_days: int = Field(30, ge=1, le=3_650, description="days that what was sent stays in the outbox")
    webhook_origins: tuple[NetworkOrigin, ...] = Field(
        (), description="origins of this network to which webhooks may be sent, such as http://crm.internal:8080"
    )
    gateway: bool = Field(default=True, description="run the chat gateway in this process")
    metrics: MetricsReaders = Field("local", description="who reads /metrics: local (this machine), all or nobody")
    sign_in: tuple[ProviderSettings, ...] = Field((), description="identity providers, see docs/how-to/sign-in.md")
    sign_in_origins: tuple[PageOrigin, ...] = Field(
        (), description="origins of this service's own pages, to which people come back from a provider"
    )
    session_hours: int = Field(12, ge=1, le=168, description="hours after which a browser has to sign in again")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line to log")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file below the environment; `.env` and secret files are not read."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _File(settings_cls)

    @field_validator("jwks_url")
    @classmethod
    def _fetched_safely(cls, url: str | None) -> str | None:
        """Whoever can change the keys on their way can sign tokens, so they travel encrypted or not at all."""
        if url is not None and not is_safe(url):
            raise ValueError("must be an https URL")
        return url

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        return self

    @field_validator("sign_in")
    @classmethod
    def _one_each(cls, providers: tuple[ProviderSettings, ...]) -> tuple[ProviderSettings, ...]:
        if len({provider.name for provider in providers}) != len(providers):
            raise ValueError("two providers have one name")
        return providers

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.data / 'crdt-sync.db'}"

    @property
    def has_development_key(self) -> bool:
        """Tell whether tokens of the local development key are good."""
        return self.auth == "jwt" and self.jwks_url is None

    def check_exposure(self) -> None:
        """Refuse to be reachable from elsewhere with keys or manners that are meant for one machine.

        Raises:
            Malformed: the development key or `auth=none` together with a host off loopback.

        """
        if is_loopback(self.host):
            return
        if self.auth == "none":
            raise _unsafe("Without tokens the service listens on loopback only", "use --auth jwt")
        if self.jwks_url is None:
            raise _unsafe("The local development key is for loopback only", "set CRDT_SYNC_JWKS_URL to your issuer's")


def load(**chosen: object) -> Settings:
    """Read the settings; `chosen` are those of the command line, None where nothing was chosen.

    Raises:
        Malformed: a value or a name is wrong; the message names each.

    """
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    except tomllib.TOMLDecodeError as error:
        wrong = f"{FILE}: {error}"
    except SettingsError as error:  # a list or the like in the environment that is not JSON
        wrong = str(error)
    raise Malformed(
        f"The settings do not hold: {wrong}.",
        code="settings",
        advice=f"Mend {PREFIX}<NAME> or {FILE}; `crdt-sync serve --help` lists all.",
    )


def _unsafe(why: str, advice: str) -> Malformed:
    return Malformed(f"{why}.", code="unsafe_host", advice=f"Listen on 127.0.0.1, or {advice}.")
