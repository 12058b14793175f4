from pathlib import Path

import pytest

from crdt_sync.errors import Malformed
from crdt_sync.server.settings import load


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_interface():
    settings = load()

    assert ("127.0.0.1", 8000, 50051) == (settings.host, settings.port, settings.grpc_port)
    assert (Path("data"), "sqlite:///data/crdt-sync.db") == (settings.data, settings.url)
    assert ("jwt", None, False, True) == (settings.auth, settings.jwks_url, settings.open_documents, settings.gateway)
    assert "connect-order" == settings.lifecycle


def test_the_command_line_is_above_the_environment_and_that_above_the_file(monkeypatch):
    Path("crdt-sync.toml").write_text('port = 1\ngrpc_port = 1\nlog_level = "error"\n')
    monkeypatch.setenv("CRDT_SYNC_PORT", "2")
    monkeypatch.setenv("CRDT_SYNC_GRPC_PORT", "2")

    settings = load(port=3, grpc_port=None)

    assert (3, 2, "error") == (settings.port, settings.grpc_port, settings.log_level)


def test_open_documents_reads_as_one(monkeypatch):
    monkeypatch.setenv("CRDT_SYNC_OPEN_DOCUMENTS", "1")

    assert load().open_documents


def test_another_database_is_used_as_it_is_written():
    assert "postgresql+asyncpg://db/x" == load(database_url="postgresql+asyncpg://db/x").url


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 1", "prot"),
        ("port = 65536", "port"),
        ('bus_url = "nats://x"', "bus_url"),
        ("port = ", "crdt-sync.toml: Invalid"),
    ],
)
def test_a_wrong_file_is_refused_and_the_wrong_is_named(text, named):
    Path("crdt-sync.toml").write_text(text)

    with pytest.raises(Malformed, match=named) as caught:
        load()

    assert "settings" == caught.value.code


@pytest.mark.parametrize("origins", ["[", "https://a"])
def test_a_list_in_the_environment_that_is_not_one_is_refused(monkeypatch, origins):
    monkeypatch.setenv("CRDT_SYNC_ORIGINS", origins)

    with pytest.raises(Malformed, match="origins"):
        load()


@pytest.mark.parametrize("url", ["http://issuer.example/keys", "file:///etc/keys", "https://", "issuer.example"])
def test_keys_that_travel_in_the_clear_are_refused(url):
    with pytest.raises(Malformed, match="jwks_url"):
        load(jwks_url=url)


@pytest.mark.parametrize("url", ["https://issuer.example/keys", "http://127.0.0.1:9/keys", "http://localhost/keys"])
def test_keys_that_nobody_can_change_on_their_way_are_taken(url):
    assert url == load(jwks_url=url).jwks_url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
@pytest.mark.parametrize("auth", ["jwt", "none"])
def test_on_loopback_the_development_key_and_none_will_do(host, auth):
    load(host=host, auth=auth).check_exposure()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "desk.example", "localhost.example"])
@pytest.mark.parametrize("chosen", [{"auth": "jwt"}, {"auth": "none"}, {"auth": "none", "jwks_url": "https://i/k"}])
def test_off_loopback_the_development_key_and_none_are_refused(host, chosen):
    with pytest.raises(Malformed) as caught:
        load(host=host, **chosen).check_exposure()

    assert "unsafe_host" == caught.value.code


def test_off_loopback_a_real_issuer_will_do():
    load(host="0.0.0.0", jwks_url="https://issuer.example/keys").check_exposure()
