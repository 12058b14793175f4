import pytest

from crdt_sync.errors import Malformed
from crdt_sync.server.settings import load

RULE = {"claim": "groups", "value": "desk", "department": "sales", "roles": ["sales_lead"]}
OIDC = {
    "kind": "oidc",
    "name": "firm",
    "label": {"en": "Firm", "zh": "公司"},
    "client_id": "desk",
    "issuer": "https://issuer.example",
    "client_secret": "env:DESK_SECRET",
    "people": [RULE],
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": "password"}, "name"),
        ({"name": "a:b"}, "name"),
        ({"issuer": "http://issuer.example"}, "issuer"),
        ({"client_secret": "in plain"}, "client_secret"),
        ({"people": []}, "people"),
        ({"people": [RULE | {"department": "gateway"}]}, "people"),
        ({"people": [RULE | {"roles": ["x y"]}]}, "people"),
        ({"label": {"en": "Firm"}}, "label"),
        ({"kind": "saml"}, "kind"),
        ({"extra": 1}, "extra"),
    ],
)
def test_settings_that_do_not_hold_are_refused_and_named(change, named):
    assert "firm" == load(sign_in=[OIDC]).sign_in[0].name
    with pytest.raises(Malformed, match=named) as caught:
        load(sign_in=[OIDC | change])
    assert "in plain" not in str(caught.value)


def test_two_providers_of_one_name_and_an_origin_with_a_path_are_refused():
    with pytest.raises(Malformed, match="one name"):
        load(sign_in=[OIDC, OIDC])
    for origin in ("https://desk.example/", "http://desk.example", "desk.example"):
        with pytest.raises(Malformed, match="sign_in_origins"):
            load(sign_in_origins=[origin])
