"""What every conformance test needs: Node, with the unmodified clients installed."""

import pytest

from tests.conformance import node_tools


@pytest.fixture(scope="session")
def node() -> str:
    """The program `node`; scripts run in `node_tools.PACKAGES`, beside their `node_modules`."""
    if not (node_tools.PACKAGES / "node_modules" / "yjs").is_dir():
        pytest.fail("The Yjs clients are not installed: run `make node-modules`.")
    return node_tools.find().node
