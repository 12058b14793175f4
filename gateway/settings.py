"""The gateway's settings.

Each is built in code by the command line, else `CRDT_SYNC_GATEWAY_<NAME>` in the environment, else `gateway_<name>` in
`crdt-sync.toml` in the working directory, else its default.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, FilePath, IPvAnyNetwork, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from crdt_sync.errors import Malformed
from crdt_sync.references import Secret
from gateway.accounts import Account
from gateway.metrics import Readers
from gateway.plugins.settings import PluginSettings
from gateway.widget.limits import VisitorLimits

FILE = Path("crdt-sync.toml")
_PREFIX = "gateway_"

Milliseconds = Annotated[int, Field(gt=0, le=3_600_000)]


class GatewaySettings(BaseSettings):
    """All that a gateway is told. `accounts` is a JSON list in the environment, `[[gateway_accounts]]` in the file."""

    model_config = SettingsConfigDict(
        env_prefix="CRDT_SYNC_GATEWAY_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    core: str = Field("127.0.0.1:50051", pattern=r"^(unix:\S+|\S+:[0-9]{1,5})$")
    """HOST:PORT of the service's gRPC, or unix:PATH of its socket."""
    metrics: Readers = "local"
    """Who may read `/metrics` of a gateway of its own: programs of this machine, `all` who reach the port, `nobody`."""
    core_certificate: FilePath | None = None
    """Whom to trust that it is the service, in PEM; the calls are encrypted then, else not."""
    core_token: Secret
    """The gateway's own token. Read anew for each call, so that a file may be replaced before it expires."""
    data: Path = Path("data/gateway")
    """Directory of the inbox."""
    accounts: tuple[Account, ...] = ()
    accounts_file: Path | None = None
    """A TOML file of `[[accounts]]` tables, read in addition to `accounts`."""
    plugins: tuple[PluginSettings, ...] = ()
    """Packages that are asked about messages or hear events, see `docs/how-to/write-a-plugin.md`."""
    channels: Path | None = None
    """Directory of channel specs of the operator's own, which is watched; None is `channels` in `data`."""
    proxies: tuple[IPvAnyNetwork, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto a gateway of its own believes."""
    body_bytes_max: int = Field(65_536, ge=1024, le=1_048_576)
    """WeChat's callbacks have a few kilobytes; its longest text is 2,048 bytes before encryption."""
    timestamp_tolerance_s: int = Field(86_400, ge=60)
    """How far a signed timestamp may lie from now. A day, because a replay changes nothing: its keys are kept."""
    spool_rows_max: int = Field(250_000, ge=1)
    """Callbacks that wait for the service, more than an hour of 50 a second; beyond it a platform is told 503."""
    spool_reserve_rows: int = Field(25_000, ge=0)
    """The last of them, kept for platforms that give up within seconds, as WeChat does."""
    bodies_kept_h: int = Field(72, ge=1)
    """For how long what a forwarded callback said is kept: personal data, of use only while a fault is looked for."""
    rows_kept_h: int = Field(336, ge=96)
    """For how long a callback is known by its keys, and one that is set aside is kept: longer than any platform retries
    or lets us pull (WeCom: three days)."""
    visitor_log_kept_h: int = Field(720, ge=1)
    """For how long a visitor of a web page is shown what was said: as long as the token of one who stays away. For as
    long is kept how a conversation that is silent can be answered."""
    media_bytes_max: int = Field(20_971_520, ge=1_024, le=20_971_520)
    """The largest picture, recording or file that is downloaded: 20 MiB, which the service takes at most."""
    visitors: VisitorLimits = VisitorLimits()
    """What visitors of web pages may take, `[gateway_visitors]` in the file; as JSON in the environment."""
    call_timeout_ms: Milliseconds = 2_000
    retry_delay_ms_min: Milliseconds = 100
    retry_delay_ms_max: Milliseconds = 10_000

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file below the environment; `.env` and secret files are not read. Raises `Malformed`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, _in_file())

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
        plugins = [plugin.name for plugin in self.plugins]
        if len(plugins) != len(set(plugins)):
            raise ValueError("two plugins have the same name")
        return self


def _in_file() -> dict[str, object]:
    try:
        found = tomllib.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Malformed(f"{FILE} cannot be read: {error}.", code="settings", advice="Mend it.") from None
    return {name.removeprefix(_PREFIX): value for name, value in found.items() if name.startswith(_PREFIX)}
