"""Whatever a spec says and no sample shows is refused, at its line: a mistake there would be found by a customer."""

import re
from collections.abc import Iterator

import pytest

from gateway.specs.book import shipped_texts
from gateway.specs.lint import findings_of

TEXTS = shipped_texts()
LOOKED_UP = re.compile(
    r"\b(?:body|item|piece|headers|query|reply|media|answer|delivery|auth)(?:\[\d\])?(?:\.[A-Za-z_]+(?:\[[^\]]*\])?)+"
)


def line_of(text: str, place: int) -> int:
    return text[:place].count("\n") + 1


def misspelt(text: str) -> Iterator[tuple[int, str, str]]:
    """The spec with one more letter at the end of a path, for each path before its samples: line, path, text."""
    rules = text[: text.index("\nsamples:")]
    for found in LOOKED_UP.finditer(rules, rules.index("\ninbound:")):
        path, bracket, index = found[0].rpartition("[") if found[0].endswith("]") else (found[0], "", "")
        yield (
            line_of(text, found.start()),
            found[0],
            text[: found.start()] + f"{path}x{bracket}{index}" + text[found.end() :],
        )


@pytest.mark.parametrize("channel", ["dingtalk-http", "feishu", "line"])
def test_whatever_path_is_misspelt_is_refused_at_its_line(channel):
    judged = 0
    for line, path, text in misspelt(TEXTS[channel]):
        judged += 1
        assert line in {one.line for one in findings_of(text)}, (line, path)
    assert judged >= 30


# What stands in a spec, what in its place, where the finding is, and its code.
UNSHOWN = {
    "a token without a sample": ("feishu", r"\n  token:\n(    .*\n)+", "\n", "  auth:", "field_missing"),
    "a token that lives otherwise": ("feishu", "lives_s: 7140", "lives_s: 7200", "  token:", "sample"),
    "a token that comes from elsewhere": (
        "feishu",
        'request:\n      url: .*internal"\n      json: {app_id: "cli_9f',
        'request:\n      url: "https://other.example/"\n      json: {app_id: "cli_9f',
        "  token:",
        "sample",
    ),
    "a token that nobody refuses": ("feishu", r'        - .*outcome: "token"}\n', "", "    refused:", "field_missing"),
    "a token that is not asked for": (
        "line",
        r"\n  fetched:\n",
        "\n  token:\n    {recorded: x, request: {url: x}, answer: {status: 200}, token: x, lives_s: 1}\n  fetched:\n",
        "  token:",
        "sample",
    ),
    "a content without a sample": ("line", r"\n  fetched:\n(    .*\n)+", "\n", "media:", "field_missing"),
    "a content that is asked for otherwise": (
        "telegram",
        "file_id: AgACAgIAAx}",
        "file_id: x}",
        "    - name: a photo\n",
        "sample",
    ),
    "a content that is not asked for": ("telegram", r"\n      (ask|answer): .*", "", "    - name: a photo\n", "sample"),
    "a content at an address that nobody allows": (
        "whatsapp",
        r"told: \[https://lookaside.fbsbx.com\]",
        "told: [https://fbsbx.com]",
        "    - name: a picture\n",
        "sample",
    ),
    "a content that is posted": (
        "line",
        "    method: GET\n    url",
        "    method: POST\n    url",
        "    method: POST",
        "form",
    ),
    "a content that the spec does not fetch": (
        "line",
        r"\nmedia:\n(  .*\n)+",
        "\n",
        "    - name: a picture\n",
        "sample",
    ),
    "a request that no sample makes": (
        "dingtalk-http",
        "when: reply.group",
        "when: reply.group && `false`",
        "    - when: reply.group",
        "field_missing",
    ),
    "an answer's meaning without a sample": (
        "feishu",
        r'        - .*outcome: "window_closed".*\n',
        "",
        '    - {when: "body.code == `230002`',
        "field_missing",
    ),
    "no success": ("mattermost", r"        - .*outcome: sent}\n", "", "  success:", "field_missing"),
    "a handshake without a sample": (
        "slack",
        r"expect: {answer: .*",
        "expect: {ignored: 1}",
        "    - when: \"body.type == 'url_verification'",
        "field_missing",
    ),
    "a header that no sample has": (
        "line",
        "from: header.x-line-signature",
        "from: header.x-line-signatur",
        "    signature:",
        "field_missing",
    ),
    "an alternative that no sample has": (
        "mattermost",
        "body.text != ''",
        "body.words != ''",
        '      - when: "body.text',
        "field_missing",
    ),
    "a list that no sample has": (
        "slack",
        r"body.event.files\[\?!",
        "body.event.filez[?!",
        '          - {each: "body.event.filez',
        "field_missing",
    ),
    "a list of things that no sample has": (
        "line",
        r'iterate: \["events',
        'iterate: ["items[]", "events',
        "  iterate",
        "field_missing",
    ),
    "a field to forget that no sample has": (
        "feishu",
        r"forget: \[header.token",
        "forget: [header.word",
        "    forget",
        "field_missing",
    ),
    "what is left out and no sample is": ("line", "== 'standby'", "== 'standbye'", "  ignore", "field_missing"),
    "a state that no sample has": (
        "whatsapp",
        "failed: failed}",
        "failed: failed, played: read}",
        "          states:",
        "field_missing",
    ),
    "no other account": ("line", r"    - name: for another account\n(      .*\n)+", "", "  accept", "field_missing"),
    "an acknowledgement that looks at what came": (
        "line",
        "ack: {json: {}}",
        'ack: {json: {id: "{body.id}"}}',
        "  ack:",
        "name_unknown",
    ),
}


@pytest.mark.parametrize("what", UNSHOWN)
def test_what_no_sample_shows_is_refused_at_its_line(what):
    channel, good, bad, begins, code = UNSHOWN[what]
    text, count = re.subn(good, lambda _: bad, TEXTS[channel])
    assert count, "it stands there"
    line = line_of(text, text.index(f"\n{begins}") + 1)
    assert (line, code) in {(one.line, one.code) for one in findings_of(text)}
