"""The committed vectors are what Python says today, say something of everything, and convince the oracle too."""

import re

import pytest

from crdt_sync.domain.lifecycle.phrases import PHRASES
from crdt_sync.domain.lifecycle.result import Code, Flag, Reason, Standing
from property_tests import model
from tests.console import vectors

BYTES_MAX = 1_000_000  # of all of them: they are read by people, too


@pytest.mark.parametrize("name", vectors.FILES)
def test_vectors_are_what_python_says(name):
    """`make vectors` writes them anew; then look at what changed."""
    assert vectors.written(name) == (vectors.FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")


def test_vectors_stay_small():
    assert BYTES_MAX > sum((vectors.FOLDER / f"{name}.jsonl").stat().st_size for name in vectors.FILES)


@pytest.mark.parametrize("name", ["lifecycles", "transitions", "folds"])
def test_names_of_vectors_are_unique(name):
    names = [row["name"] for row in vectors.load(name)]
    assert sorted(set(names)) == sorted(names)


def test_oracle_decodes_them_alike():
    for row in vectors.load("transitions"):
        data = row["text"].encode() if "text" in row else bytes.fromhex(row["hex"])
        found = model.decode(data)
        assert (row["name"], row.get("code", row.get("id"))) == (
            row["name"],
            found if isinstance(found, str) else model.identify(data),
        )


def test_oracle_folds_them_alike():
    """But for the unsound file, of which the oracle makes nothing."""
    specs = vectors.specs()
    for row in vectors.load("folds"):
        if row["lifecycle"] != "unsound":
            lines = [line.encode() for line in row["lines"]]
            found = model.fold(specs[row["lifecycle"]], lines, any_digest=row["any_digest"])
            assert (row["name"], model.canonical(row["state"])) == (row["name"], model.canonical(found))


def test_folds_show_every_status_code_reason_and_flag():
    states = [row["state"] for row in vectors.load("folds")]
    statuses = [status for state in states for status in state["status"].values()]
    assert set(Standing) == {status["status"] for status in statuses}
    assert set(Reason) | {None} == {status.get("because") for status in statuses if status["status"] == "overtaken"}
    assert set(Flag) == {flag for state in states for flags in state["flags"].values() for flag in flags}
    quarantined = {code for state in states for code in state["quarantined"].values()}
    assert {"malformed", "size", "ticket"} == quarantined
    inert = {status["code"] for status in statuses if status["status"] == "inert"}
    others = {code for state in states for code in state["codes"].values()}
    assert set(Code) == inert | others | quarantined - {"size"}


def test_every_phrase_is_said_in_each_language():
    """A phrase is known by its longest piece between the places for words."""
    for language, phrases in PHRASES.items():
        said = "\n".join(sentence for row in vectors.load("folds") for sentence in row[language])
        pieces = {name: max(re.split(r"\{\w+\}", text), key=len) for name, text in phrases.items()}
        assert [] == [name for name, piece in pieces.items() if piece not in said]
