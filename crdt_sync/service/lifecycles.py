"""The lifecycles that this service knows: the shipped and configured ones, and every one a ticket was opened with."""

from collections.abc import Callable, Mapping

from crdt_sync.domain.ids import Digest
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.errors import NotFound
from crdt_sync.ports import Store

Read = Callable[[str, str], Lifecycle]  # (text, name)


class Lifecycles:
    """Look-up by digest. A ticket keeps the lifecycle that it was opened with, so none is ever forgotten."""

    def __init__(
        self, default: Lifecycle, sources: Mapping[Digest, tuple[Lifecycle, str]], given: Mapping[str, Lifecycle]
    ) -> None:
        self.default = default
        self._known = dict(sources)
        self._given = dict(given)

    @classmethod
    async def load(cls, store: Store, prove: Read, reread: Read, sources: Mapping[str, str]) -> "Lifecycles":
        """Save `sources` (name -> text), the first of which is the default, and read back every one ever saved.

        What was saved is read, not proven, again: tickets were opened with it, whatever a checker says today.

        Raises:
            Malformed: one of the sources fails its check.
            StoreUnavailable: the store cannot answer.

        """
        given = [(prove(source, name), source) for name, source in sources.items()]
        for lifecycle, source in given:
            await store.save_lifecycle(lifecycle.digest, source)
        known = {digest: (reread(source, digest), source) for digest, source in (await store.lifecycles()).items()}
        return cls(given[0][0], known, {name: lifecycle for name, (lifecycle, _) in zip(sources, given, strict=True)})

    def all(self) -> tuple[Lifecycle, ...]:
        """Every known lifecycle."""
        return tuple(lifecycle for lifecycle, _ in self._known.values())

    def given(self, name: str) -> Lifecycle:
        """Return the lifecycle of a source that was given at the start, by the name that it had there."""
        return self._given[name]

    def by_digest(self, digest: str) -> Lifecycle:
        """Return a lifecycle.

        Raises:
            NotFound: no lifecycle has this digest.

        """
        return self._get(digest)[0]

    def source(self, digest: str) -> str:
        """Return the YAML that a lifecycle was read from.

        Raises:
            NotFound: no lifecycle has this digest.

        """
        return self._get(digest)[1]

    def _get(self, digest: str) -> tuple[Lifecycle, str]:
        found = self._known.get(Digest(digest))
        if found is None:
            raise NotFound(f"No lifecycle has the digest {digest[:64]!r}.", code="unknown_lifecycle")
        return found
