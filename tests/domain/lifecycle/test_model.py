from crdt_sync.domain.lifecycle.model import Lane, Lifecycle, Pattern

QUOTED, SIGNED, LOST = "quoted", "signed", "lost"


def lane(name, owner, *, control=False):
    return Lane(
        id=name,
        owner=owner,
        control=control,
        initial=QUOTED,
        states=(QUOTED, SIGNED, LOST),
        final=(),
        below={},
        conflicts={frozenset({SIGNED, LOST}): "disputed"},
        conflict_unnamed=False,
        transitions={},
        form_readers=(),
    )


def lifecycle(*lanes, labels=()):
    return Lifecycle(
        name="order",
        version=1,
        digest="0" * 64,
        title={},
        open_by=(),
        talk=(),
        inbound_after_close="new_ticket",
        lanes={found.id: found for found in lanes},
        stages=(),
        stories=(),
        labels=dict(labels),
    )


def test_pattern_matches_the_names_it_lists():
    assert Pattern(frozenset({SIGNED})).matches(SIGNED)
    assert not Pattern(frozenset({SIGNED})).matches(LOST)


def test_negated_pattern_matches_every_other_name():
    assert Pattern(frozenset({SIGNED}), negated=True).matches(LOST)
    assert not Pattern(frozenset({SIGNED}), negated=True).matches(SIGNED)


def test_pattern_of_everything_matches_any_name():
    assert Pattern(any=True).matches(LOST)


def test_conflict_is_found_by_its_name():
    assert frozenset({SIGNED, LOST}) == lane("sales", "sales").conflict_members("disputed")


def test_unknown_conflict_has_no_members():
    assert frozenset() == lane("sales", "sales").conflict_members("sighted")


def test_control_lane_is_the_one_marked_so():
    assert "ticket" == lifecycle(lane("sales", "sales"), lane("ticket", "desk", control=True)).control.id


def test_department_that_owns_two_lanes_participates_once():
    lanes = (lane("sales", "sales"), lane("tech", "tech"), lane("bill", "sales"))
    assert ("sales", "tech") == lifecycle(*lanes).departments


def test_label_falls_back_to_the_bare_name():
    labels = {"sales.signed": {"en": "Signed", "zh": ""}}
    known = lifecycle(lane("sales", "sales"), labels=labels)
    assert "Signed" == known.label("sales.signed", "en")
    assert "signed" == known.label("sales.signed", "zh")
    assert "ready_to_start" == known.label("ready_to_start", "en")
