from crdt_sync.domain.event import EventType
from crdt_sync.ports import NewEvent


def test_an_event_names_its_type_as_the_plain_word_that_is_stored():
    made = NewEvent(EventType.STAGE_CHANGED, "a" * 52, {}, ("sales",), 1)

    assert "stage_changed" == made.type == str(made.type)
