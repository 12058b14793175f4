from gateway.counts import Counts


def test_counts_add_up_and_are_handed_out_as_a_copy():
    counts = Counts()
    counts.add("callback.accepted")
    counts.add("callback.accepted", 2)
    shown = counts.all()
    counts.add("callback.dead")

    assert {"callback.accepted": 3} == shown
    assert (1, 0) == (counts["callback.dead"], counts["never"])
