"""One ticket without concurrency: what someone who sees everything can do, as a walk over the lanes' states.

For a view in which nobody works at the same time, the states of the lanes say everything that a next move depends on.
"""

from property_tests.model import listed, matches


def row_of(spec, states):
    """The first row that fits; None if the table has a hole."""
    return next((row for row in spec["stages"] if any(_fits(one, states) for one in listed(row["when"]))), None)


def stage_of(spec, states):
    row = row_of(spec, states)
    return row["stage"] if row else None


def kind_of(spec, states):
    row = row_of(spec, states)
    return row["kind"] if row else None


def _fits(alternative, states):
    return all(matches(pattern, states[lane]) for lane, pattern in alternative.items())


def enabled(spec, states, lane, rule):
    """Whether someone who sees these states may make the move, role aside."""
    if states[lane] not in [*listed(rule.get("from")), *listed(rule.get("settles"))]:
        return False
    return all(holds(spec, states, what, pattern) for what, pattern in rule.get("if", {}).items())


def holds(spec, states, what, pattern):
    """Whether one condition holds, on a lane or on the stage."""
    return matches(pattern, states[what] if what != "stage" else stage_of(spec, states) or "")


def walked(spec, states, lanes):
    """Every combination that moves of these lanes alone lead to, the nearest first."""
    queue, known = [dict(states)], {tuple(states.values())}
    for now in queue:
        yield now
        for lane in lanes:
            for rule in spec["lanes"][lane]["transitions"].values():
                after = {**now, lane: rule["to"]}
                if tuple(after.values()) not in known and enabled(spec, now, lane, rule):
                    known.add(tuple(after.values()))
                    queue.append(after)
