"""Where the address of a picture may lead: to hosts of the list at public addresses, and to no other."""

import pytest

from gateway.platforms.addresses import ToldAddresses, resolved
from gateway.platforms.http import Answer, NotSent, PlatformHttp, Refused

ORIGINS = ("https://*.dingtalk.com", "https://*.aliyuncs.com")


class WatchedHttp(PlatformHttp):
    """Calls nobody, and writes down whom it would call."""

    def __init__(self):
        super().__init__()
        self.called = []
        self.status = 200

    async def download(self, url, *, bytes_max, query=None, headers=None, server_name=None):
        self.called.append((url, dict(headers or {}), server_name))
        return Answer(self.status, {}, content=b"picture")


@pytest.fixture
async def http():
    http = WatchedHttp()
    yield http
    await http.close()


async def download(http, url, addresses, origins=ORIGINS):
    async def resolve(host):
        asked.append(host)
        return addresses

    asked = []
    return await ToldAddresses(http, origins, resolve).download(url, bytes_max=100), asked


@pytest.mark.parametrize(
    ("address", "called"), [("203.119.1.1", "https://203.119.1.1"), ("2606:4700::1", "https://[2606:4700::1]")]
)
async def test_the_address_that_was_looked_at_is_called_under_the_name_of_its_host(http, address, called):
    content, asked = await download(http, "https://oss.aliyuncs.com/a/b.png?Signature=x%2B", [address])

    assert (b"picture", ["oss.aliyuncs.com"]) == (content, asked)
    expected = f"{called}/a/b.png?Signature=x%2B", {"host": "oss.aliyuncs.com"}, "oss.aliyuncs.com"
    assert [expected] == http.called


PRIVATE = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.100.100.200 0.0.0.0 ::1 fd00::1 ::ffff:10.0.0.1 "
    "64:ff9b::a00:1 64:ff9b:1::a00:1 2002:a00:1::1 2001:0:cb00:7101::1 224.0.0.1 ff02::1 ff0e::1 "
    "::ffff:100.100.100.200 ::127.0.0.1 ::ffff:0:127.0.0.1 fec0::1 4000::1 240.0.0.1"
)


@pytest.mark.parametrize("address", PRIVATE.split())
@pytest.mark.parametrize("beside", [[], ["203.119.1.1"]])
async def test_a_host_with_a_private_address_is_never_called(http, address, beside):
    with pytest.raises(Refused) as failed:
        await download(http, "https://oss.aliyuncs.com/a", [*beside, address])

    assert ("media_address", None) == (failed.value.code, failed.value.retry_ms)
    assert [] == http.called


@pytest.mark.parametrize(
    "url",
    [
        "http://oss.aliyuncs.com/a",
        "https://oss.aliyuncs.com:8443/a",
        "https://aliyuncs.com.evil.example/a",
        "https://evilaliyuncs.com/a",
        "https://aliyuncs.com/a",
        "https://oss.aliyuncs.com",
        "https://oss.aliyuncs.com/a\nhost: x",
        "https://oss.aliyuncs.com\\@evil.example/a",
    ],
)
async def test_whatever_is_not_on_the_list_is_not_even_looked_up(http, url):
    with pytest.raises(Refused) as failed:
        await download(http, url, ["203.119.1.1"])

    assert "media_address" == failed.value.code
    assert [] == http.called


async def test_any_public_host_may_be_allowed_and_then_is_called_without_encryption_too(http):
    url = "http://203.119.1.1/vweixinp.tc.qq.com/1007.f10.mp4?vkey=1"
    content, asked = await download(http, url, ["203.119.1.1"], ["http://*"])

    assert (b"picture", ["203.119.1.1"]) == (content, asked)
    assert [(url, {"host": "203.119.1.1"}, None)] == http.called
    for refused, address in ((url, "10.0.0.1"), (url.replace("http:", "https:"), "203.119.1.1")):
        with pytest.raises(Refused):
            await download(http, refused, [address], ["http://*"])


async def test_what_is_no_content_is_not_taken_for_one(http):
    http.status = 302
    with pytest.raises(Refused) as failed:
        await download(http, "https://oss.aliyuncs.com/a", ["203.119.1.1"])
    assert "http_302" == failed.value.code


async def test_a_host_that_nobody_knows_may_be_known_later():
    with pytest.raises(NotSent):
        await resolved("nowhere.invalid")
    assert "127.0.0.1" in await resolved("127.0.0.1")
