"""The channel specs that were in use last, by file: what a gateway begins with, whatever its own files have become.

Each is the text as it was taken. Of secrets it has the names alone, as the file that it was. Owns no running account.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import structlog

from gateway.specs.folder import Page, page_as_taken

_log = structlog.get_logger(__name__)


class Taken:
    """A directory of the gateway's own. Every method blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, str] = {}  # digests, by file

    def pages(self) -> list[Page]:
        """Everything that is kept, in the order of the names; a text that this release cannot run is a refused page."""
        return list(self._pages())

    def follow(self, pages: Mapping[str, Page], refused: Collection[str]) -> None:
        """Keep what is in use now, and forget the files that are gone: those that are neither in use nor `refused`.

        What fails is logged, and tried again at the next call.
        """
        try:
            for name in self._kept.keys() - pages.keys() - set(refused):
                (self._path / name).unlink(missing_ok=True)
                del self._kept[name]
            for name, page in pages.items():
                if page.spec is not None and self._kept.get(name) != page.spec.digest:
                    self._write(name, page.text)
                    self._kept[name] = page.spec.digest
        except OSError as error:
            _log.error("channel specs cannot be kept for the next start", reason=error.strerror)

    def _pages(self) -> Iterator[Page]:
        for file in sorted(self._path.glob("*.yaml")):
            page = page_as_taken(file)
            self._kept[file.name] = page.spec.digest if page.spec is not None else ""
            yield page

    def _write(self, name: str, text: bytes) -> None:
        """Keep a text, whole or not at all, also where the power is lost."""
        self._path.mkdir(parents=True, exist_ok=True)
        beside = self._path / f"{name}.new"
        with beside.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path / name)
