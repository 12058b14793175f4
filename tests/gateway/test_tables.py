import pytest
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import IntegrityError

from gateway.tables import inbox_key, metadata


def test_a_key_belongs_to_one_row_of_its_account_whatever_the_program_does():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        for account in ("shop", "other"):
            connection.execute(insert(inbox_key).values(account=account, key="k", inbox_id=1))
        with pytest.raises(IntegrityError):
            connection.execute(insert(inbox_key).values(account="shop", key="k", inbox_id=2))
    engine.dispose()
