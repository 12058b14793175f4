"""P5: where everyone has seen everything, a lane is the plain state machine that its file draws.

Two machines say so: twenty lines of our own, and the package `python-statemachine`, built from the file.
"""

from hypothesis import given
from hypothesis import strategies as st
from statemachine import State, StateMachine
from statemachine.exceptions import TransitionNotAllowed

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.model import listed
from property_tests.strategies import History, lifecycles
from property_tests.subject import lifecycle


@st.composite
def chains(draw):
    history = History(draw(lifecycles()))
    history.open()
    names = [(lane, name) for lane, has in history.spec["lanes"].items() for name in has["transitions"]]
    for _ in range(draw(st.integers(0, 12))):
        moves = st.sampled_from(names)
        if enabled := history.enabled(history.lines):
            moves = st.sampled_from(enabled) | st.sampled_from(enabled) | moves
        history.add(history.record(*draw(moves), list(history.lines)))
    return history


def agrees(pattern, name):
    wanted = listed(pattern)
    return wanted == ["*"] or name in wanted or any(p[0] == "!" and p[1:] != name for p in wanted)


class Machine:
    """Twenty lines that anyone would write for one ticket without concurrency."""

    def __init__(self, spec):
        self.spec = spec
        self.states = {lane: has["initial"] for lane, has in spec["lanes"].items()}

    def stage(self):
        for row in self.spec["stages"]:
            if any(all(agrees(p, self.states[lane]) for lane, p in any_of.items()) for any_of in listed(row["when"])):
                return row["stage"]
        return None

    def move(self, lane, name):
        rule, seen = self.spec["lanes"][lane]["transitions"][name], {**self.states, "stage": self.stage()}
        if self.states[lane] not in listed(rule.get("from")):
            return "from"
        if not all(agrees(pattern, seen[what]) for what, pattern in rule.get("if", {}).items()):
            return "if"
        self.states[lane] = rule["to"]
        return None


class Package:
    """One machine of the package a lane; their guards look at the others, so this is the model of them all."""

    def __init__(self, spec):
        self.plain = Machine(spec)  # for the words of the file that no package knows: patterns and stages
        self.lanes = {lane: drawn(has)(self, state_field=f"at_{lane}") for lane, has in spec["lanes"].items()}

    def holds(self, condition):
        self.plain.states = {lane: machine.current_state_value for lane, machine in self.lanes.items()}
        seen = {**self.plain.states, "stage": self.plain.stage()}
        return all(agrees(pattern, seen[what]) for what, pattern in condition.items())

    def can(self, lane, name):
        try:
            self.lanes[lane].send(f"do_{name}")
        except TransitionNotAllowed:
            return False
        return True


def drawn(lane):
    """The lane as a class of the package. What only concurrency can reach is left out: a chain is never in conflict."""
    states = {name: State(value=name, initial=name == lane["initial"]) for name in lane["states"]}
    body = {f"at_{name}": state for name, state in states.items()}
    for name, rule in lane["transitions"].items():
        condition = rule.get("if", {})
        for source in listed(rule.get("from")):
            if source in states:
                arrow = states[source].to(states[rule["to"]], cond=lambda model, asked=condition: model.holds(asked))
                body[f"do_{name}"] = body[f"do_{name}"] | arrow if f"do_{name}" in body else arrow
    checks = dict.fromkeys(["validate_disconnected_states", "validate_trap_states"], False)
    return type("Lane", (StateMachine,), body | checks)


@given(chains())
def test_a_chain_is_what_the_package_makes_of_the_file(history):
    package, refused = Package(history.spec), set()
    for i, e in history.naive.events.items():
        if i != history.opening and not package.can(e["lane"], e["name"]):
            refused.add(i)
    result = fold_lines(lifecycle(history.spec), history.all_lines)
    assert {lane: machine.current_state_value for lane, machine in package.lanes.items()} == result["lanes"]
    assert refused == {i for i, found in result["status"].items() if found["status"] == "inert"}


@given(chains())
def test_a_chain_is_a_plain_state_machine(history):
    machine, refused = Machine(history.spec), {}
    for i, e in history.naive.events.items():
        if i != history.opening and (code := machine.move(e["lane"], e["name"])):
            refused[i] = code
    result = fold_lines(lifecycle(history.spec), history.all_lines)
    assert (machine.states, machine.stage()) == (result["lanes"], result["stage"])
    assert refused == {i: found["code"] for i, found in result["status"].items() if found["status"] == "inert"}
    assert {"effective", "superseded", "inert"} >= {found["status"] for found in result["status"].values()}
    assert result["flags"] == {}
