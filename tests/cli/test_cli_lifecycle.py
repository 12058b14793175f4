"""`crdt-sync lifecycle`: what it prints, byte for byte, and how it exits."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.cli.lifecycle import app
from crdt_sync.cli.simulation import simulated
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.model import Story

FIXTURES = Path(__file__).parents[1] / "fixtures" / "lifecycles"
SOUND = FIXTURES / "sound.yaml"
STALE = FIXTURES / "l04-stale-move.yaml"
LIFECYCLE = load(SOUND.read_text(encoding="utf-8"))


def invoke(*arguments, stdin=b""):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def records(*events):
    """The records of a story as lines, the opening first."""
    made = stories.transitions(LIFECYCLE, Story("told", events, {}))
    return {key: transition.record.encode() + b"\n" for key, transition in made.items()}


# check


def test_a_sound_file_exits_with_a_summary_of_one_line():
    result = invoke("check", SOUND)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{SOUND}: small-desk 1 is sound (lanes: 2, stages: 4, stories that hold: 1). Digest {LIFECYCLE.digest}.\n"
    )


def test_a_file_with_findings_exits_with_one_and_a_line_each():
    result = invoke("check", FIXTURES / "conflict_like_state.yaml")
    assert result.exit_code == 1
    where = f"{FIXTURES / 'conflict_like_state.yaml'}:27 work.idle L1: "
    assert [
        where + "a conflict is never named like a state. Rename the conflict.",
        where + 'these states are named "torn" already.',
    ] == result.stdout.splitlines()


def test_a_finding_of_a_proof_tells_its_story():
    result = invoke("check", STALE)
    assert result.exit_code == 1
    assert result.stdout == (
        f'{STALE}:32 work.again L4: idle < done, dropped and torn, so a stale concurrent "finish" undoes it. '
        'Story: f: finish · a: again < f · x: finish ⇒ busy. Add "resets: true".\n'
    )


def test_check_json_of_a_sound_file_has_the_fixed_form():
    result = invoke("check", "--json", SOUND)
    assert result.exit_code == 0
    assert {
        "ok": True,
        "digest": LIFECYCLE.digest,
        "lanes": {
            "case": {"owner": "desk", "initial": "running", "states": ["running", "closed"], "conflicts": {}},
            "work": {
                "owner": "crew",
                "initial": "idle",
                "states": ["idle", "done", "dropped"],
                "conflicts": {"torn": ["done", "dropped"]},
            },
        },
        "stages": ["dropped_late", "over", "torn_apart", "busy"],
        "witnesses": {
            "busy": "⇒ busy",
            "over": "c: case.close ⇒ over",
            "torn_apart": "f: work.finish · d: work.drop ⇒ torn_apart",
            "dropped_late": "c: case.close · d: work.drop ⇒ dropped_late",
        },
        "findings": [],
    } == json.loads(result.stdout)
    assert list(json.loads(result.stdout)) == sorted(json.loads(result.stdout))


def test_check_json_of_a_file_that_fails_a_proof_still_knows_the_lifecycle():
    result = invoke("check", "--json", STALE)
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (False, ["dropped_late", "over", "torn_apart", "busy"]) == (report["ok"], report["stages"])
    assert len(report["digest"]) == 64
    assert [
        {
            "rule": "L4",
            "where": "work.again",
            "line": 32,
            "message": 'idle < done, dropped and torn, so a stale concurrent "finish" undoes it.',
            "story": "f: work.finish · a: work.again < f · x: work.finish ⇒ busy",
            "fix": 'Add "resets: true".',
        }
    ] == report["findings"]


def test_check_json_of_an_unreadable_file_knows_nothing():
    result = invoke("check", "--json", FIXTURES / "yaml_syntax.yaml")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (False, None, {}, []) == (report["ok"], report["digest"], report["lanes"], report["stages"])
    assert ["L1"] == [finding["rule"] for finding in report["findings"]]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_graph_prints_the_diagrams(language):
    result = invoke("graph", SOUND, "--language", language)
    golden = (FIXTURES.parent / "graphs" / f"small-desk.{language}.md").read_text(encoding="utf-8")
    assert (0, golden) == (result.exit_code, result.stdout)


def test_graph_draws_a_file_that_fails_a_proof_but_none_that_cannot_be_read():
    assert 0 == invoke("graph", STALE).exit_code
    result = invoke("graph", FIXTURES / "l02-order-cycle.yaml")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "L2" in result.stderr


@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["graph"], ["fold"], ["simulate", "--seed", "1"]])
def test_a_file_that_does_not_exist_is_one_sentence(command, tmp_path):
    result = invoke(*command, tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"{tmp_path / 'none.yaml'} cannot be read: No such file or directory.\n"


def test_a_folder_is_no_file(tmp_path):
    result = invoke("check", tmp_path)
    assert (2, f"{tmp_path} cannot be read: Is a directory.\n") == (result.exit_code, result.stderr)


def test_a_large_file_is_read_up_to_the_limit(tmp_path):
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_000)
    result = invoke("check", tmp_path / "large.yaml")
    assert (1, f"{tmp_path / 'large.yaml'}:1 file L1: the file is larger than 262144 bytes.\n") == (
        result.exit_code,
        result.stdout,
    )


# fold and id


def test_fold_prints_one_object_with_sorted_keys():
    lines = records("f: work.finish", "d: work.drop")
    result = invoke("fold", SOUND, stdin=b"".join(lines.values()))
    state = json.loads(result.stdout)
    assert result.exit_code == 0
    assert result.stdout.endswith("}\n")
    assert list(state) == sorted(state)
    assert {
        "codes", "flags", "kind", "lanes", "obligations", "pending", "quarantined", "stage", "status", "ticket",
    } == state.keys()  # fmt: skip
    assert ("torn_apart", "attention", {"case": "running", "work": "torn"}) == (
        state["stage"],
        state["kind"],
        state["lanes"],
    )


def test_fold_does_not_depend_on_order_or_repetition():
    lines = list(records("f: work.finish", "d: work.drop", "s: work.settle < f, d").values())
    once = invoke("fold", SOUND, stdin=b"".join(lines)).stdout
    assert once == invoke("fold", SOUND, stdin=b"\n".join([*reversed(lines), *lines])).stdout


def test_fold_quarantines_a_bad_line():
    lines = [*records("f: work.finish").values(), b"\xff{", b"\n", b"[]\n"]
    state = json.loads(invoke("fold", SOUND, stdin=b"".join(lines)).stdout)
    assert {hashlib.sha256(b"\xff{").hexdigest(): "malformed", hashlib.sha256(b"[]").hexdigest(): "malformed"} == state[
        "quarantined"
    ]
    assert state["lanes"]["work"] == "done"


def test_fold_of_nothing_is_an_empty_ticket():
    state = json.loads(invoke("fold", SOUND).stdout)
    assert (None, None, {}, {}) == (state["ticket"], state["stage"], state["lanes"], state["status"])


def test_fold_needs_any_digest_for_another_lifecycle(tmp_path):
    (tmp_path / "next.yaml").write_text(SOUND.read_text(encoding="utf-8").replace("version: 1", "version: 2"))
    lines = b"".join(records("f: work.finish").values())
    refused = json.loads(invoke("fold", tmp_path / "next.yaml", stdin=lines).stdout)
    assert {"lifecycle_unknown"} == set(refused["codes"].values())
    allowed = json.loads(invoke("fold", "--any-digest", tmp_path / "next.yaml", stdin=lines).stdout)
    assert ({}, "done") == (allowed["codes"], allowed["lanes"]["work"])


def test_fold_takes_a_file_that_fails_a_later_proof():
    assert invoke("fold", STALE).exit_code == 0


def test_fold_refuses_a_file_that_cannot_be_read():
    result = invoke("fold", FIXTURES / "l02-order-cycle.yaml")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "case.order L2: " in result.stderr


def test_id_prints_an_id_or_a_code_for_each_line():
    made = stories.transitions(LIFECYCLE, Story("told", ("f: work.finish",), {}))
    lines = [record for key, record in records("f: work.finish").items()]
    result = invoke("id", stdin=b"\n".join([*lines, b"{}", b"x" * 5_000]))
    assert [made["opener"].id, made["f"].id, "malformed", "size"] == result.stdout.splitlines()


# simulate


def test_simulate_prints_the_story_and_why_the_ticket_is_where_it_is():
    result = invoke("simulate", SOUND, "--seed", "1")
    told, _, explained = result.stdout.partition("\n\n")
    assert result.exit_code == 0
    assert simulated(LIFECYCLE, 1).events == tuple(told.split("\n"))
    assert explained.startswith("The ticket is in the stage ")


def test_one_seed_gives_one_history():
    assert invoke("simulate", SOUND, "--seed", "5").stdout == invoke("simulate", SOUND, "--seed", "5").stdout
    assert invoke("simulate", SOUND, "--seed", "5").stdout != invoke("simulate", SOUND, "--seed", "6").stdout


@pytest.mark.parametrize("seed", range(5))
def test_a_simulated_replica_makes_valid_moves_only(seed):
    """What was enabled in the author's view stays valid, whatever the others did (T2)."""
    lifecycle = load(shipped()["connect-order"])
    story = simulated(lifecycle, seed)
    assert len(story.events) > 5
    assert [] == stories.run(lifecycle, Story("simulated", story.events, {"inert": ()}))


def test_simulated_replicas_act_concurrently():
    lifecycle = load(shipped()["connect-order"])
    made = stories.transitions(lifecycle, simulated(lifecycle, 4))
    assert any(len(transition.after) > 1 for transition in made.values())
