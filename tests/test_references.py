import pytest
from pydantic import TypeAdapter, ValidationError

from crdt_sync.errors import Malformed
from crdt_sync.references import Secret

SECRETS = TypeAdapter(Secret)


def test_a_secret_is_read_where_its_reference_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_SECRET", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")

    assert "from the environment" == SECRETS.validate_python("env:DESK_SECRET")()
    assert "from a file" == SECRETS.validate_python(f"file:{tmp_path}/secret")()


@pytest.mark.parametrize("reference", ["secret", "env:", "file:", "http:x", ""])
def test_a_secret_itself_is_no_reference(reference):
    with pytest.raises(ValidationError, match="by reference"):
        SECRETS.validate_python(reference)


@pytest.mark.parametrize("reference", ["env:NOT_THERE", "file:/not/there"])
def test_a_reference_to_nothing_is_heard_of_when_it_is_read(reference):
    with pytest.raises(Malformed) as caught:
        SECRETS.validate_python(reference)()
    assert "secret" == caught.value.code
