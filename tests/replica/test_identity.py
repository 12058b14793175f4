import json

import jwt
import pytest

from crdt_sync.domain.access import Principal
from crdt_sync.errors import Unauthenticated
from crdt_sync.replica.identity import claims_of, principal_from, principal_of


@pytest.mark.parametrize("tickets", [None, ("a" * 52,)])
def test_a_replica_remembers_whose_it_is(tickets):
    principal = Principal("ann", "sales", ("sales", "sales_lead"), tickets)

    assert principal == principal_from(json.loads(claims_of(principal)))


@pytest.mark.parametrize("claims", [{}, {"sub": "ann"}, {"sub": 1, "department": "x"}, {"sub": "a", "roles": "x"}])
def test_claims_that_say_nobody_are_refused(claims):
    with pytest.raises(Unauthenticated):
        principal_of(jwt.encode(claims, "k" * 32, algorithm="HS256") if claims.get("sub") != 1 else "x")
    with pytest.raises(Unauthenticated):
        principal_from(claims)
