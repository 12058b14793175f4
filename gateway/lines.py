"""The accounts of one gateway as they are served now. Those of specs may change while it runs; all others never do.

Everybody who serves accounts looks here at each turn, so a change is one step between two turns: what is under way ends
with what it began with, and what comes next finds the new.
"""

from gateway.channels.base import Channel
from gateway.media import MediaPort
from gateway.outbound import Sender
from gateway.platforms.tokens import AccessToken
from gateway.registry import Feed, Line


class Lines:
    """What reads, sends, fetches and feeds, by account."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.senders: dict[str, Sender] = {}
        self.media: dict[str, MediaPort] = {}
        self.feeds: dict[str, Feed] = {}
        self.tokens: dict[str, AccessToken] = {}

    def names(self) -> list[str]:
        """Every account that is served."""
        return sorted({*self.channels, *self.senders})

    def put(self, account: str, channel: Channel | None, line: Line) -> None:
        """Serve an account by these from now on."""
        self.drop(account)
        if channel is not None:
            self.channels[account] = channel
        if line.sender is not None:
            self.senders[account] = line.sender
        if line.media is not None:
            self.media[account] = line.media
        if line.feed is not None:
            self.feeds[account] = line.feed
        if line.token is not None:
            self.tokens[account] = line.token

    def drop(self, account: str) -> None:
        """Serve an account no more."""
        self.channels.pop(account, None)
        self.senders.pop(account, None)
        self.media.pop(account, None)
        self.feeds.pop(account, None)
        self.tokens.pop(account, None)
