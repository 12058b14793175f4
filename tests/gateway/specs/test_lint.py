"""A spec is refused with its line and a code, whatever is wrong with it; a good one has nothing wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.specs import model
from gateway.specs.book import shipped_texts
from gateway.specs.lint import findings_of
from tests.gateway.line import line_event, line_post

LINE = shipped_texts()["line"]


def line_number(text: str, fragment: str) -> int:
    (number,) = [number for number, line in enumerate(text.split("\n"), 1) if fragment in line]
    return number


@pytest.mark.parametrize("channel", sorted(shipped_texts()))
def test_shipped_spec_has_nothing_wrong(channel):
    assert [] == findings_of(shipped_texts()[channel])


WRONG = {
    "a field that no sample has": (
        "parts: [{text: item.message.text}]",
        "parts: [{text: item.message.words}]",
        "field_missing",
    ),
    "a field beside others that no sample has": (
        "parts: [{text: item.message.text}]",
        "parts: [{text: item.message.text}, {file: item.message.fileId}]",
        "field_missing",
    ),
    "a kind that no sample is of": ("item.type == 'follow'\"", "item.type == 'unfollow'\"", "sample"),
    "a key that is not there": ("    - [item.message.id]", "    - [item.message.uid]", "field_missing"),
    "a time that no sample has": ("{value: item.timestamp", "{value: item.time", "field_missing"),
    "an order that no sample has": ("order: [item.timestamp]", "order: [item.time]", "field_missing"),
    "a rule about what no sample has": ('ignore: ["item.mode', 'ignore: ["item.mod', "field_missing"),
    "an account that no sample names": ("body.destination ==", "body.destinaton ==", "field_missing"),
    "a secret that is compared": ("ignore: [", 'ignore: ["secret.channel_secret == body.secret", ', "secret_compared"),
    "a word that is compared": (
        "accept: [",
        "accept: [\"not_null(body.token, 'hunter2') == 'hunter2'\", ",
        "secret_compared",
    ),
    "a header that is compared": (
        "ignore: [",
        "ignore: ['headers.\"x-api-key\" == account.bot_id', ",
        "secret_compared",
    ),
    "a password that is searched for": ("ignore: [", "ignore: [\"contains(body.password, 'x')\", ", "secret_compared"),
    "a secret among the fields": ("fields: [bot_id]", "fields: [bot_id, bot_token]", "secret_written"),
    "a secret in the file": (
        'Bearer {secret.channel_token}"\n        X',
        'Bearer x8f742231b10e8888abcd99"\n        X',
        "secret_written",
    ),
    "a secret that nobody declared": ("key: {secret: channel_secret}", "key: {secret: other}", "secret_unknown"),
    "a secret that nobody uses": ("secrets: [channel_secret,", "secrets: [channel_secret, spare,", "unused"),
    "a host of somebody else": ('url: "{origin.api}/v2/bot/message/push"', 'url: "https://evil.example/push"', "host"),
    "a host that continues an origin": (
        'url: "{origin.api}/v2/bot/message/push"',
        'url: "{origin.api}.evil.example/push"',
        "host",
    ),
    "a host out of the callback": (
        'url: "{origin.api}/v2/bot/message/push"',
        'url: "{delivery.conversation}"',
        "host",
    ),
    "an origin that is not declared": (
        'url: "{origin.api}/v2/bot/message/push"',
        'url: "{origin.other}/push"',
        "host",
    ),
    "no JMESPath": ("order: [item.timestamp]", 'order: ["item..timestamp"]', "expression"),
    "a function that is not for specs": ("order: [item.timestamp]", 'order: ["max_by(item, &x)"]', "expression"),
    "an expression that loops": (
        "order: [item.timestamp]",
        'order: ["[@,@][] | [@,@][] | [@,@][] | [@,@][]"]',
        "loop",
    ),
    "an expression that makes much of what it made": (
        "order: [item.timestamp]",
        'order: ["body.events[*].[to_string(@),@,@,@,@,@,@,@] | [].[to_string(@),@,@,@,@,@,@,@][]"]',
        "loop",
    ),
    "lists of lists": ("order: [item.timestamp]", 'order: ["[@,@,@] | [@,@,@]"]', "loop"),
    "an alias": ("order: [item.timestamp]", "order: &loop [*loop]", "yaml"),
    "a tag": ("order: [item.timestamp]", "order: !!python/name:os.system [a]", "yaml"),
    "a merge": ("  order:", "  <<: {a: 1}\n  order:", "unknown_key"),
    "a key twice": ("  order: [item.timestamp]", "  order: [item.timestamp]\n  order: [item.timestamp]", "yaml"),
    "an unknown key": ("  order: [item.timestamp]", "  sorted: [item.timestamp]", "unknown_key"),
    "a name that is nothing here": ("order: [item.timestamp]", "order: [event.timestamp]", "name_unknown"),
    "a field that the account has not": ("account.bot_id", "account.robot_id", "field_unknown"),
    "a digest without a secret": ("    how: hmac-sha256", "    how: sha256", "form"),
    "a retry key that is not sent": ('X-Line-Retry-Key: "{delivery.uuid}"', "X-Line-Retry: again", "form"),
    "a sample of another signature": ('X-Line-Signature: "6rb3Z', 'X-Line-Signature: "7rb3Z', "sample"),
    "an answer that means something else": ("outcome: dead, code: quota", "outcome: busy, code: quota", "sample"),
    "nesting without end": ("about:", "about: " + "[" * 100, "yaml"),
}


ACCOUNTS = """
accounts:
  - account: friends
    secrets: {channel_secret: "env:A", channel_token: "env:B"}
    fields: {bot_id: U1}
"""

WRONG_ACCOUNTS = {
    "a secret in place of its reference": ('"env:A"', "drawn-by-chance", 4),
    "a secret that is missing": (', channel_token: "env:B"', "", 3),
    "a field that the spec has not": ("{bot_id: U1}", "{bot_id: U1, more: x}", 3),
    "a host of somebody else": ("    fields", "    origins: {other: https://evil.example}\n    fields", 3),
    "an unknown key": ("    fields", "    field: {}\n    fields", 5),
    "no name": ("account: friends", "account: Friends!", 3),
}


@pytest.mark.parametrize("what", WRONG_ACCOUNTS)
def test_account_that_does_not_fit_its_spec_is_refused_with_its_line(what):
    good, bad, line = WRONG_ACCOUNTS[what]
    assert [] == findings_of(LINE + ACCOUNTS)
    assert good in ACCOUNTS
    found = findings_of(LINE + ACCOUNTS.replace(good, bad))
    assert {"account"} == {one.code for one in found}
    assert [LINE.count("\n") + line] == sorted({one.line for one in found})


def test_an_account_twice_and_a_channel_that_is_code_are_refused():
    twice = ACCOUNTS + ACCOUNTS.replace("\naccounts:\n", "")
    assert ["account"] == [one.code for one in findings_of(LINE + twice)]
    assert ["account"] == [one.code for one in findings_of(LINE.replace("channel: line", "channel: wechat"))]


@pytest.mark.parametrize("what", WRONG, ids=str)
def test_what_is_wrong_is_refused_with_its_line(what):
    good, bad, code = WRONG[what]
    assert good in LINE
    text = LINE.replace(good, bad, 1)
    found = findings_of(text)
    assert code in {one.code for one in found}
    assert all(1 <= one.line <= text.count("\n") + 1 for one in found)
    if code not in {"sample", "unused", "secret_unknown", "form"}:  # these show where they are missed
        first = LINE[: LINE.index(good)].count("\n") + 1
        assert any(first <= one.line <= first + bad.count("\n") for one in found if one.code == code)


def test_a_signature_that_does_not_hold_is_told_with_what_it_would_be():
    text = LINE.replace('X-Line-Signature: "6rb3Z', 'X-Line-Signature: "7rb3Z')
    (found,) = findings_of(text)
    assert "it would be 6rb3Z" in found.message
    assert line_number(text, "several events at once") == found.line


def test_a_spec_that_anybody_could_sign_is_refused():
    text = LINE.replace("over: [raw_body]", "over: [header.x-line-signature]").replace(
        "    how: hmac-sha256", "    how: equals"
    )
    text = text.replace("    key: {secret: channel_secret}\n", "").replace("encoding: base64", "encoding: text")
    assert "nothing secret is in it" in " ".join(one.message for one in findings_of(text))


def test_a_sample_that_comes_to_something_else_is_told_with_what_differs():
    changed = LINE.replace("text: item.message.text}", "text: item.message.id}").replace(
        '"{delivery.text}"', '"{delivery.conversation}"'
    )
    found = [one for one in findings_of(changed) if one.code == "sample"]
    assert line_number(LINE, "a text to the account") == found[0].line
    told = [one.message for one in found]
    text = 'callbacks[0].envelope.customer.parts[0].text: expected "Hello, world", came to "14353798921116".'
    assert f"a text to the account: {text}" == told[0]
    assert any('json.messages[0].text: expected "Hello, world1", came to "U4af4980629...".' in one for one in told)
    assert len(told) == len({one.line for one in found}), "the first difference of each sample, and no more"
    assert not any("\\n" in one or len(one) > 250 for one in told)


def test_a_sample_that_says_nothing_yet_is_told_how_many_callbacks_came():
    text = LINE.replace("  received:\n", f"  received:\n{sample_without_expectation()}", 1)
    (found,) = findings_of(text)
    assert "new: callbacks: expected 0, came to 1 of them." == found.message


def sample_without_expectation() -> str:
    post = line_post(line_event(1), bot="xxxxxxxxxx", secret="a-made-up-secret")
    sample = {"name": "new", "recorded": "made up", "at_ms": 0, "headers": post.headers, "body": post.body.decode()}
    return f"    - {json.dumps({**sample, 'expect': {}})}\n"


SECRETS = ["sign", "sig", "auth", "x-auth", "pass", "pwd", "pin", "credential", "dbCredentials", "userPin", "apiKey"]
COMPARED = [
    "contains(values(headers), 'hunter2')",
    "to_string(headers) == 'hunter2'",
    "headers | values(@) | contains(@, 'hunter2')",
    "headers.*|[?@=='hunter2']",
    "body.token | @ == 'hunter2'",
    "[body.password][?@ == 'hunter2']",
]


@pytest.mark.parametrize("compared", [*COMPARED, *(f"body.\"{name}\" == 'hunter2'" for name in SECRETS)])
def test_a_secret_is_not_compared_by_whatever_name(compared):
    text = LINE.replace("ignore: [", f"ignore: [{json.dumps(compared)}, ")
    found = [one.line for one in findings_of(text) if one.code == "secret_compared"]
    assert [line_number(text, "ignore: [")] == found


@pytest.mark.parametrize("name", ["author", "design", "pinned", "passenger", "signal", "Spin"])
def test_a_name_that_only_has_the_letters_of_one_is_no_secret(name):
    text = LINE.replace("ignore: [", f"ignore: [\"body.{name} == 'x'\", ")
    assert text != LINE
    assert "secret_compared" not in {one.code for one in findings_of(text)}


HIDDEN = ["\\0", "\\u202E", "\\u2066", "\\u200F", "\\e", "\\x7F", "\\x85"]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_text_that_shows_as_another_is_refused(hidden):
    text = LINE.replace("about: ", f'about: "x{hidden}x" #', 1)
    found = [(one.line, one.code) for one in findings_of(text)]
    assert [(line_number(text, "about: "), "character")] == found


def test_a_text_of_several_lines_and_what_a_customer_wrote_in_a_sample_are_taken():
    text = LINE.replace("about: ", 'about: "one\\n\\ttwo" #', 1)
    assert [] == findings_of(text)
    text = LINE.replace("Hello, world", "Hello, \\u202Eworld", 1)
    assert "character" not in {one.code for one in findings_of(text)}


OURS = ["127.0.0.1", "localhost", "api.localhost", "169.254.169.254", "0x7f.1", "10.0.0.1:8443", "[::1]", "[fd00::1]"]


@pytest.mark.parametrize("host", OURS)
def test_a_spec_that_leads_into_our_own_network_is_refused_though_its_samples_agree(host):
    text = LINE.replace("https://api.line.me", f"https://{host}")
    found = [(one.line, one.code) for one in findings_of(text)]
    assert [(line_number(text, f"  api: https://{host}"), "host")] == found


@pytest.mark.parametrize("host", ["169.254.169.254", "*.localhost"])
def test_a_spec_is_told_no_address_of_our_own_network(host):
    text = shipped_texts()["slack"].replace("told: [", f"told: ['https://{host}', ")
    found = [(one.line, one.code) for one in findings_of(text)]
    assert [(line_number(text, f"told: ['https://{host}', "), "host")] == found


def test_an_account_may_have_its_own_server_in_our_network():
    account = """
accounts:
  - account: team
    secrets: {webhook_token: "env:A", bot_token: "env:B"}
    fields: {team_id: t, bot_name: b}
    origins: {server: "https://10.0.0.1"}
"""
    assert [] == findings_of(shipped_texts()["mattermost"] + account)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_damage_of_a_spec_breaks_the_lint(data):
    lines = LINE.split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(
        st.sampled_from(["", "  - x", "a: [", "{}", "\x00", "version: 2", lines[place] * 2, "- " * 40])
    )
    for one in findings_of("\n".join(lines)):
        assert one.line >= 1
        assert one.code


PLACES = {
    "order": ("  order: [item.timestamp]", "  order: [{}]"),
    "ignore": ("  ignore: [\"item.mode == 'standby'\"]", "  ignore: [{}]"),
    "conversation": ('    conversation: "item.source', '    conversation: {} # "item.source'),
}


@pytest.mark.parametrize("bad", ["body.events[::0]", "merge(item, body.destination)", "contains(item.gone, 'x')"])
@pytest.mark.parametrize("place", PLACES)
def test_an_expression_that_cannot_be_applied_is_refused_at_its_line(bad, place):
    good, form = PLACES[place]
    text = LINE.replace(good, form.format(f'"{bad}"'), 1)
    assert line_number(LINE, good) in {one.line for one in findings_of(text)}


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"a", b"x" * 300_000, b"a: &a [*a]"])
def test_what_is_no_spec_at_all_is_refused(text):
    assert findings_of(text)


def test_schema_for_editors_is_that_of_the_model():
    """If this fails: crdt-sync gateway channel schema > gateway/specs/channel.schema.json."""
    from crdt_sync.cli.channel import schema_text

    assert schema_text() == (Path(model.__file__).parent / "channel.schema.json").read_text(encoding="utf-8")
