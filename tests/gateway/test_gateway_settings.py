import json

import pytest
from pydantic import ValidationError

from crdt_sync.errors import Malformed
from crdt_sync.server.settings import load
from gateway.accounts import WeChatAccount
from gateway.settings import GatewaySettings

ACCOUNT = {"account": "shop", "app_id": "wx1", "token": "env:SHOP_TOKEN", "aes_key": "env:SHOP_KEY"}


def test_environment_gives_every_setting(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("secret key\n")
    given = ACCOUNT | {"aes_key": f"file:{tmp_path / 'key'}"}
    monkeypatch.setenv("SHOP_TOKEN", "secret token")
    monkeypatch.setenv("CORE_TOKEN", "jwt")
    monkeypatch.setenv("CRDT_SYNC_GATEWAY_CORE", "core.example:1")
    monkeypatch.setenv("CRDT_SYNC_GATEWAY_CORE_TOKEN", "env:CORE_TOKEN")
    monkeypatch.setenv("CRDT_SYNC_GATEWAY_ACCOUNTS", json.dumps([given]))
    monkeypatch.setenv("CRDT_SYNC_GATEWAY_SPOOL_ROWS_MAX", "7")
    assert () == GatewaySettings().proxies, "nobody is believed until a setting says so"
    monkeypatch.setenv("CRDT_SYNC_GATEWAY_PROXIES", '["10.0.0.1", "192.0.2.0/24"]')
    settings = GatewaySettings()

    assert ("core.example:1", "jwt", 7) == (settings.core, settings.core_token(), settings.spool_rows_max)
    assert ["10.0.0.1/32", "192.0.2.0/24"] == [str(proxy) for proxy in settings.proxies]
    (account,) = settings.accounts
    assert ("secret token", "secret key") == (account.token(), account.aes_key())
    assert [] == [value for value in ("secret token", "secret key") if value in repr(settings)]


def test_file_of_the_service_gives_every_setting_below_the_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crdt-sync.toml").write_text(
        'port = 8001\ngateway_core = "core.example:1"\ngateway_core_token = "env:T"\ngateway_spool_rows_max = 7\n'
        '[[gateway_accounts]]\naccount = "two"\napp_id = "wx2"\ntoken = "env:A"\naes_key = "env:B"\n'
    )
    monkeypatch.setenv("CRDT_SYNC_GATEWAY_SPOOL_ROWS_MAX", "8")
    settings = GatewaySettings()
    assert ("core.example:1", 8, ["two"]) == (
        settings.core,
        settings.spool_rows_max,
        [account.account for account in settings.accounts],
    )
    assert 8001 == load().port

    (tmp_path / "crdt-sync.toml").write_text('gateway_core_token = "env:T"\ngateway_spool = 7\n')
    with pytest.raises(ValidationError, match="spool"):
        GatewaySettings()
    (tmp_path / "crdt-sync.toml").write_text("gateway_core_token =")
    with pytest.raises(Malformed, match="cannot be read"):
        GatewaySettings()


def test_accounts_of_the_file_are_added(tmp_path):
    file = tmp_path / "accounts.toml"
    file.write_text('[[accounts]]\naccount = "two"\napp_id = "wx2"\ntoken = "env:A"\naes_key = "env:B"\n')
    settings = GatewaySettings(core_token="env:T", accounts_file=file, accounts=[ACCOUNT])
    assert ["shop", "two"] == [account.account for account in settings.accounts]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), ("[[", "cannot be read"), ("accounts = 1", "must be a list")],
)
def test_accounts_file_that_says_nothing_is_refused(tmp_path, content, complaint):
    file = tmp_path / "accounts.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValidationError, match=complaint):
        GatewaySettings(core_token="env:T", accounts_file=file)


def test_two_accounts_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="same name"):
        GatewaySettings(core_token="env:T", accounts=[ACCOUNT, ACCOUNT])


def test_two_plugins_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="same name"):
        GatewaySettings(core_token="env:T", plugins=[{"name": "crm"}, {"name": "crm"}])


@pytest.mark.parametrize("accounts", [[], ["Shop"], ["a b"], "shop", [""]])
def test_accounts_of_a_plugin_are_names_of_accounts(accounts):
    with pytest.raises(ValidationError):
        GatewaySettings(core_token="env:T", plugins=[{"name": "crm", "accounts": accounts}])


def test_plugin_is_told_its_secret_by_reference_alone():
    with pytest.raises(ValidationError) as caught:
        GatewaySettings(core_token="env:T", plugins=[{"name": "crm", "token": "the token itself"}])
    assert "the token itself" not in str(caught.value)


@pytest.mark.parametrize("literal", ["the secret itself", "env:", "vault:thing"])
def test_secret_by_value_is_refused_and_not_repeated(literal):
    with pytest.raises(ValidationError, match="by reference") as caught:
        WeChatAccount(**ACCOUNT | {"token": literal})
    assert "the secret itself" not in str(caught.value)


def test_secret_in_a_file_is_read_anew(tmp_path):
    file = tmp_path / "token"
    file.write_text("first")
    settings = GatewaySettings(core_token=f"file:{file}")
    assert "first" == settings.core_token()

    file.write_text("second")
    assert "second" == settings.core_token()


@pytest.mark.parametrize("reference", ["env:SURELY_NOT_SET", "file:/surely/not/there"])
def test_missing_secret_is_named_by_its_reference(reference):
    settings = GatewaySettings(core_token=reference)
    with pytest.raises(Malformed, match=reference) as caught:
        settings.core_token()
    assert "secret" == caught.value.code


@pytest.mark.parametrize("name", ["", "Shop", "a/b", "a" * 64])
def test_account_name_that_is_no_address_is_refused(name):
    with pytest.raises(ValidationError):
        WeChatAccount(**ACCOUNT | {"account": name})


def test_aes_key_may_be_left_out_in_plaintext_mode_alone():
    without = {name: value for name, value in ACCOUNT.items() if name != "aes_key"}
    assert WeChatAccount(**without, plain=True).aes_key is None
    with pytest.raises(ValidationError, match="aes_key is needed"):
        WeChatAccount(**without)
