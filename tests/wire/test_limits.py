from pathlib import Path

from crdt_sync.wire import limits


def test_every_limit_is_a_positive_number_with_a_reason():
    source = Path(str(limits.__file__)).read_text(encoding="utf-8")
    names = [name for name in vars(limits) if name.isupper() and name not in {"KIB", "MIB"}]
    for name in names:
        assert getattr(limits, name) > 0
        definition = source.index(f"\n{name} = ")
        assert source[source.index("\n", definition + 1) :].startswith('\n"""'), name


def test_a_whole_document_fits_one_update_and_one_frame():
    assert limits.DOCUMENT_BYTES_MAX <= limits.UPDATE_BYTES_MAX < limits.FRAME_BYTES_MAX
