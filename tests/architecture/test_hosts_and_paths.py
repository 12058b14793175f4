"""The project is installed from whichever mirror its user has set, and runs wherever it is cloned."""

import json
import re

import pytest

from tests.architecture.tree import ROOT, shown, texts

LOCKED = re.compile(r"[a-z0-9-]+==[A-Za-z0-9.+!]+( ; [^/]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
COMMENT = re.compile(r" *#[^/]*")

HOSTS = re.compile(
    r"(?i)\b(?:pypi|pythonhosted|npmjs|npmmirror|yarnpkg|unpkg|jsdelivr|debian|golang|crates)\.(?:org|com|io|net|dev|cn)\b"
)
CHOICE = re.compile(r"--(?:extra-)?index-url[ =]|--trusted-host[ =]|(?m:^registry *=)")
HOME = re.compile(r"(?<![\w.*}\])/-])/(?:home|root|Users|work|workspace)/\w")


def strings(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def test_python_lock_holds_versions_and_hashes_only():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    known = (LOCKED, HASH, COMMENT)
    assert [] == [line for line in lines if line and not any(form.fullmatch(line) for form in known)]


def test_every_locked_python_package_has_a_hash():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert 0 < len(LOCKED.findall(lock))
    assert [] == re.findall(r"(?m)^([^ #\n]+==.*)\n(?!    --hash)", lock)


NODE_LOCKS = [path for path, _ in texts() if path.name == "package-lock.json"]


def test_both_node_locks_are_found():
    assert {"console", "tests/conformance/node"} == {shown(path.parent) for path in NODE_LOCKS}


@pytest.mark.parametrize("lock", NODE_LOCKS, ids=shown)
def test_node_lock_names_no_host(lock):
    found = set(strings(json.loads(lock.read_text(encoding="utf-8"))))
    assert [] == sorted(text for text in found if text in {"resolved", "funding"} or "://" in text)


def test_no_file_names_a_package_registry():
    assert [] == [(shown(path), found[0]) for path, text in texts() for found in HOSTS.finditer(text)]


def test_no_file_chooses_a_package_registry():
    assert [] == [(shown(path), found[0]) for path, text in texts() for found in CHOICE.finditer(text)]


def test_no_file_names_a_folder_of_one_machine():
    assert [] == [(shown(path), found[0]) for path, text in texts() for found in HOME.finditer(text)]


def test_registry_is_recognised():
    assert HOSTS.search("see https://registry.npmjs" + ".org/yjs")


@pytest.mark.parametrize("text", ["pip install --index-url" + " x", "a=b\nregistry" + "=x"])
def test_choice_of_a_registry_is_recognised(text):
    assert CHOICE.search(text)


@pytest.mark.parametrize("text", ["in /ho" + "me/someone", "'/ro" + "ot/x'", "=/Us" + "ers/x"])
def test_folder_of_one_machine_is_recognised(text):
    assert HOME.search(text)


@pytest.mark.parametrize("text", ["docs/home/page", "{base}/work/x", "the home/office question"])
def test_relative_path_is_left_alone(text):
    assert not HOME.search(text)
