"""The page about channels says what the code does, where that can be checked."""

import textwrap
from pathlib import Path
from typing import get_args

from gateway.accounts import WRITTEN, Account, DescribedAccount
from gateway.settings import GatewaySettings
from gateway.specs.book import shipped_texts

PAGE = (Path(__file__).parents[2] / "docs" / "channels.md").read_text(encoding="utf-8")


def test_accounts_of_the_page_can_be_used_as_they_stand(tmp_path):
    example = PAGE.partition("## An account\n")[2].partition("\nSecrets")[0]
    file = tmp_path / "accounts.toml"
    file.write_text(textwrap.dedent(example))
    accounts = GatewaySettings(core_token="env:T", accounts_file=file).accounts
    assert ["wecom", "dingtalk", "web", "wecom-group", "slack"] == [account.channel for account in accounts]


def test_every_kind_of_account_has_its_row():
    kinds = [get_args(kind)[0] for kind in get_args(get_args(Account)[0])]
    written = [get_args(kind.model_fields["channel"].annotation)[0] for kind in kinds if kind is not DescribedAccount]
    assert WRITTEN == set(written)
    assert [] == [name for name in (*written, *shipped_texts()) if f"| `{name}`" not in PAGE]
