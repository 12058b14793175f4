"""The gateway's settings: `CRDT_SYNC_GATEWAY_<NAME>` in the environment, or built in code by the command line.

Owns their form and the resolving of secrets. A secret never stands in a setting: `env:NAME` or `file:PATH` says where
it is, and code may hand in a function that returns it.
"""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FilePath, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crdt_sync.errors import Malformed


def _source(reference: object) -> object:
    if not isinstance(reference, str):
        return reference
    scheme, _, place = reference.partition(":")
    if scheme == "env" and place:
        return lambda: _from_environment(place)
    if scheme == "file" and place:
        return lambda: _from_file(Path(place))
    raise ValueError("a secret is given by reference: env:NAME or file:PATH")


def _from_environment(name: str) -> str:
    value = os.environ.get(name)  # noqa: TID251 - the setting is the reference, and this is what it refers to
    if not value:
        raise Malformed(f"The secret env:{name} is not set.", code="secret", advice=f"Set {name} in the environment.")
    return value


def _from_file(path: Path) -> str:
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        value = ""
    if not value:
        raise Malformed(f"The secret file:{path} holds nothing that can be read.", code="secret", advice="Write it.")
    return value


Secret = Annotated[Callable[[], str], BeforeValidator(_source)]
"""A function that reads the secret; raises `Malformed` (code `secret`) where there is none."""

Milliseconds = Annotated[int, Field(gt=0, le=3_600_000)]


class WeChatAccount(BaseModel):
    """One WeChat Official Account in safe mode."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channel: Literal["wechat"] = "wechat"
    account: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """Our name of it, as in `/channels/{account}` and in the gateway's token."""
    app_id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    token: Secret
    aes_key: Secret
    """The EncodingAESKey of the console, 43 characters."""
    previous_aes_key: Secret | None = None
    """The one before, while callbacks under it may still arrive."""


class GatewaySettings(BaseSettings):
    """All that a gateway is told. `accounts` in the environment is a JSON list."""

    model_config = SettingsConfigDict(
        env_prefix="CRDT_SYNC_GATEWAY_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    core: str = Field("127.0.0.1:50051", pattern=r"^\S+:[0-9]{1,5}$")
    """HOST:PORT of the service's gRPC."""
    core_certificate: FilePath | None = None
    """Whom to trust that it is the service, in PEM; the calls are encrypted then, else not."""
    core_token: Secret
    """The gateway's own token. Read anew for each call, so that a file may be replaced before it expires."""
    data: Path = Path("data/gateway")
    """Directory of the inbox."""
    accounts: tuple[WeChatAccount, ...] = ()
    accounts_file: Path | None = None
    """A TOML file of `[[accounts]]` tables, read in addition to `accounts`."""
    body_bytes_max: int = Field(65_536, ge=1024, le=1_048_576)
    """WeChat's callbacks have a few kilobytes; its longest text is 2,048 bytes before encryption."""
    timestamp_tolerance_s: int = Field(86_400, ge=60)
    """How far a signed timestamp may lie from now. A day, because a replay changes nothing: its keys are kept."""
    spool_rows_max: int = Field(100_000, ge=1)
    """Callbacks that wait for the service; beyond it a platform is told 503. About 200 MB at 2 KB each."""
    call_timeout_ms: Milliseconds = 2_000
    retry_delay_ms_min: Milliseconds = 100
    retry_delay_ms_max: Milliseconds = 10_000

    @model_validator(mode="before")
    @classmethod
    def _read_accounts_file(cls, given: dict[str, object]) -> dict[str, object]:
        path = given.get("accounts_file")
        if path is None:
            return given
        try:
            listed = tomllib.loads(Path(str(path)).read_text()).get("accounts", [])
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"accounts_file {path} cannot be read: {error}") from None
        more = given.get("accounts", ())
        if isinstance(listed, list) and isinstance(more, list | tuple):
            return {**given, "accounts": [*more, *listed]}
        raise ValueError("accounts must be a list")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [account.account for account in self.accounts]
        if len(names) != len(set(names)):
            raise ValueError("two accounts have the same name")
        return self
