import pytest

from crdt_sync.public_addresses import Place, called, is_public, place_of


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("203.119.1.1", True),
        ("2606:4700::1", True),
        ("64:ff9b::cb77:101", True),  # 203.119.1.1 behind NAT64
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
    ],
)
def test_an_address_is_public_if_nothing_on_the_way_makes_a_private_one_of_it(address, public):
    assert public is is_public(address)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://crm.example", Place("https", "crm.example", "", "")),
        ("http://[2606:4700::1]:8080/a?b=c", Place("http", "[2606:4700::1]", "8080", "/a?b=c")),
        ("https://public.example@127.0.0.1/a", None),
        ("https://crm.example\\@127.0.0.1/a", None),
        ("https://crm.example/a\nhost: b", None),
        ("https://crm.example?a", None),
        ("ftp://crm.example/a", None),
    ],
)
def test_a_url_is_taken_apart_if_nobody_could_read_another_host_in_it(url, place):
    assert place == place_of(url)
    assert place is None or url == place.origin + place.path


@pytest.mark.parametrize(
    ("addresses", "public", "trusted"),
    [
        ([], None, None),
        (["203.119.1.1"], "203.119.1.1", "203.119.1.1"),
        (["2606:4700::1", "203.119.1.1"], "[2606:4700::1]", "[2606:4700::1]"),
        (["203.119.1.1", "10.0.0.1"], None, "203.119.1.1"),
        (["10.0.0.1"], None, "10.0.0.1"),
    ],
)
def test_a_host_is_called_if_all_of_its_addresses_are_public_or_it_is_trusted(addresses, public, trusted):
    assert (public, trusted) == (called(addresses), called(addresses, is_trusted=True))
