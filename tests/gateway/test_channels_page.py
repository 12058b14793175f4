"""The page about channels says what the code does, where that can be checked."""

import textwrap
from pathlib import Path
from typing import get_args

from gateway.accounts import Account
from gateway.settings import GatewaySettings

PAGE = (Path(__file__).parents[2] / "docs" / "channels.md").read_text(encoding="utf-8")


def test_accounts_of_the_page_can_be_used_as_they_stand(tmp_path):
    example = PAGE.partition("## An account\n")[2].partition("\nSecrets")[0]
    file = tmp_path / "accounts.toml"
    file.write_text(textwrap.dedent(example))
    accounts = GatewaySettings(core_token="env:T", accounts_file=file).accounts
    assert ["wecom", "dingtalk", "web", "wecom-group"] == [account.channel for account in accounts]


def test_every_kind_of_account_has_its_row():
    kinds = [get_args(kind)[0].model_fields["channel"].annotation for kind in get_args(get_args(Account)[0])]
    names = [get_args(kind)[0] for kind in kinds]
    assert ["wechat", "wecom", "dingtalk", "web", "dingtalk-group", "wecom-group", "feishu-group"] == names
    assert [] == [name for name in names if f"| `{name}`" not in PAGE]
