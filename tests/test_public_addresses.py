import pytest

from crdt_sync.public_addresses import is_public


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
