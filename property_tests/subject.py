"""The code under test, called as the properties want it: lifecycles from plain mappings, folds line by line."""

import functools

from crdt_sync.adapters.lifecycle_files import load
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import Transition, decode
from property_tests.model import canonical, identify, sha
from property_tests.strategies import text_of


@functools.lru_cache(maxsize=512)
def _load(text):
    return load(text)


def lifecycle(spec):
    """What `crdt_sync` makes of the file; it refuses an unsound one."""
    return _load(text_of(spec))


class Lines:
    """A fold of the named ticket that takes raw lines; what does not decode never reaches it."""

    def __init__(self, spec, ticket):
        self.fold, self.names = Fold(lifecycle(spec), ticket), {}

    def add(self, line):
        transition = decode(line)
        if isinstance(transition, Transition):
            assert identify(line) == transition.id
            self.names[transition.id] = sha(line)
            self.fold.add(transition)

    def state(self):
        return self.printed(self.fold.state())

    def printed(self, state):
        """What the command prints. The fold, which has no lines, quarantines ids; the command, hashes of lines."""
        found = state.to_json()
        named = {self.names.get(i, i): code for i, code in found["quarantined"].items()}
        return found | {"quarantined": named}


def written(result):
    """The bytes that the command line prints of it."""
    return canonical(result)
