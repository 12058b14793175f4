"""What the gateway is told of each plugin: `[[gateway_plugins]]` in the file, a JSON list in the environment.

And what it tells the plugin's process.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.accounts import AccountName
from gateway.plugins.api import Option

Reference = Annotated[str, Field(pattern=r"^(env|file):.+$")]
"""Where a secret stands. It is read in the plugin's process, which alone may know it."""


class PluginSettings(BaseModel):
    """One plugin."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    """Its entry point in the group `crdt_sync.plugins`, and what it is called in counts and logs."""
    accounts: frozenset[AccountName] | None = Field(None, min_length=1)
    """Whose messages and answers it is shown; of all accounts if none is named. What it hears is its token's matter."""
    deadline_ms: int = Field(50, ge=1, le=1_000)
    """How long a message may wait for it; of several in one call, a tenth more for each further one."""
    event_deadline_s: int = Field(30, ge=1, le=600)
    """How long it may take over one event."""
    memory_mb: int = Field(256, ge=128, le=16_384)
    """How much its process may allocate, in MiB; the interpreter and gRPC take some 100 of them."""
    token: Reference | None = None
    """The plugin's own token for the service, of a department: with it it hears events and calls."""
    options: Mapping[str, Option] = Field(default_factory=dict)
    """What the plugin itself wants to know. A secret stands here as `env:NAME` or `file:PATH`."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a process is told on the first line of its input, as JSON: others can read a command line."""

    settings: PluginSettings
    socket: int
    core: str
    core_certificate: str | None
    data: str

    def spelt(self) -> str:
        """Spell it."""
        return json.dumps({**asdict(self), "settings": self.settings.model_dump(mode="json")})

    @classmethod
    def read(cls, text: str) -> "Start":
        """Read it back."""
        told = json.loads(text)
        return cls(**{**told, "settings": PluginSettings(**told["settings"])})
