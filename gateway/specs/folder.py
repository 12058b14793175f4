"""The operator's own channel specs: files of a directory, read when they change, and never half.

A file that is bad leaves what stood there before as it was. Owns no running account: what becomes of a spec that is
good is `gateway.specs.reload`'s.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

import structlog

from crdt_sync.errors import Malformed
from crdt_sync.yaml_tree import FILE_BYTES_MAX
from gateway.accounts import DescribedAccount
from gateway.specs.lint import Proven, proven, proven_before

FILES_MAX = 200

_log = structlog.get_logger(__name__)

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A file that changed: its spec with the accounts that came with it, or why it is none, or neither: it is gone."""

    name: str
    spec: Proven | None = None
    accounts: tuple[DescribedAccount, ...] = ()
    refused: str = ""
    text: bytes = field(default=b"", repr=False)


class Folder:
    """The files `*.yaml` of a directory, which need not be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, _Stamp] = {}

    def expect(self, names: Iterable[str]) -> None:
        """Files that were there before this process: one that is not there now is a change."""
        self._seen = dict.fromkeys(names, (0, 0, 0)) | self._seen

    def changes(self) -> list[Page]:
        """What changed since the last look, in the order of the names. Blocks; takes a moment for each changed file."""
        now = dict(self._stamps())
        gone = [Page(name) for name in self._seen if name not in now]
        changed = [name for name, stamp in now.items() if self._seen.get(name) != stamp]
        pages = [*gone, *(self._page(name) for name in changed)]
        self._seen = now
        return pages

    def _stamps(self) -> Iterator[tuple[str, _Stamp]]:
        try:
            files = sorted(self._path.glob("*.yaml"))[:FILES_MAX]
        except OSError:
            return
        for file in files:
            try:
                found = file.stat()
            except OSError:
                continue
            if S_ISREG(found.st_mode):  # to open a pipe would wait for whoever writes into it
                yield file.name, (found.st_mtime_ns, found.st_size, found.st_ino)

    def _page(self, name: str) -> Page:
        return _page(self._path / name, proven)


def page_as_taken(file: Path) -> Page:
    """The page of a text that was proven when it was taken, by a release whose rules may have been others."""
    return _page(file, proven_before)


def _page(file: Path, judge: Callable[[bytes, str], Proven]) -> Page:
    try:
        return page_of(file, judge)
    except Malformed as error:
        return Page(file.name, refused=error.message)
    except Exception as error:  # noqa: BLE001 - a boundary: no file keeps another from being taken
        _log.exception("channel spec could not be read", file=file.name)
        return Page(file.name, refused=f"{file.name} ends in a {type(error).__name__}.")


def page_of(file: Path, judge: Callable[[bytes, str], Proven] = proven) -> Page:
    """A file's spec, and the accounts in it.

    Raises:
        Malformed: it cannot be read, or is no spec that can be used.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Malformed(f"{file} cannot be read: {error.strerror}.", code="spec") from None
    spec = judge(text, file.name)
    given = ({**one, "channel": spec.spec.channel} for one in spec.spec.accounts)
    return Page(file.name, spec, tuple(DescribedAccount.model_validate(one) for one in given), text=text)
