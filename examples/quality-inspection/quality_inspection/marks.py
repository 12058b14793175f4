"""How far each conversation was inspected, in a file: so nothing is inspected or noted again without need.

A mark stands at an answer, since the rules know nothing of what was before one. It may be lost with the file: what is
noted anew has the same request id, and changes nothing.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from quality_inspection.rules import Rules

_TABLE = """
CREATE TABLE IF NOT EXISTS mark (
    ticket TEXT PRIMARY KEY, rules TEXT NOT NULL, messages INTEGER NOT NULL, answer TEXT NOT NULL
);
"""


class Marks:
    """The marks of some rules; those of other rules do not count."""

    def __init__(self, path: Path, rules: Rules) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_TABLE}")
        self._rules = repr(rules)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def done(self, ticket: str, messages: Sequence[str]) -> int:
        """Return how many of a conversation's messages need no look; none where something came in between them."""
        query = "SELECT messages, answer FROM mark WHERE ticket = ? AND rules = ?"
        found = self._database.execute(query, (ticket, self._rules)).fetchone()
        if found is None:
            return 0
        count: int = found[0]
        return count if messages[count - 1 : count] == [found[1]] else 0

    def put(self, ticket: str, messages: int, answer: str) -> None:
        """Keep that so many messages of a conversation, of which this answer is the last, were inspected."""
        self._database.execute("REPLACE INTO mark VALUES (?, ?, ?, ?)", (ticket, self._rules, messages, answer))
