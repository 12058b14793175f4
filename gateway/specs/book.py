"""The channel specs of a gateway: those that ship with it, and the operator's own in a directory, which come first."""

from functools import cache
from importlib import resources

from gateway.specs.lint import Proven, proven


def shipped_texts() -> dict[str, str]:
    """The specs that come with the package: name of the channel -> YAML."""
    folder = resources.files("gateway.specs") / "shipped"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    return {item.name.removesuffix(".yaml"): item.read_text(encoding="utf-8") for item in files}


@cache
def shipped(channel: str) -> Proven | None:
    """A spec that comes with the package, proven when it is first asked for; None if there is none."""
    text = shipped_texts().get(channel)
    return None if text is None else proven(text, f"{channel}.yaml")
