"""Suites in modules that are not collected still explain their failures."""

import pytest

pytest.register_assert_rewrite("tests.gateway.channels.channel_contract")
