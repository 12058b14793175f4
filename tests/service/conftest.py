"""What every test of the service may look at beside its world."""

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def logged():
    """What was logged, as entries; to print a traceback with all its locals would take seconds."""
    with capture_logs() as entries:
        yield entries
