"""Suites in modules that are not collected still explain their failures."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.store_contract", "tests.contracts.outbox_contract", "tests.contracts.media_contract"
)
