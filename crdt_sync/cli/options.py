"""Options that are settings of the service: named, described and defaulted as the settings are."""

import typer

from crdt_sync.server.settings import PREFIX, Settings


def setting(name: str, *flags: str) -> typer.models.OptionInfo:
    """An option for a setting, described as the settings describe it."""
    field = Settings.model_fields[name]
    default = field.default if field.default not in ("", None, ()) else "none"
    option: typer.models.OptionInfo = typer.Option(
        *flags, help=f"{field.description} [{PREFIX}{name.upper()}; default: {default}]", show_default=False
    )
    return option
