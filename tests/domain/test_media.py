"""What a content is, is told by its own bytes."""

import pytest

import gateway.media
from crdt_sync.domain import media
from crdt_sync.domain.media import EXTENSIONS, Media
from tests.samples import EXECUTABLE, HTML, JPEG, MP3, MP4, PDF, PNG, SAMPLES, SVG, ZIP


@pytest.mark.parametrize("type_", SAMPLES)
def test_every_type_is_known_by_its_beginning(type_):
    assert type_ == media.type_of(SAMPLES[type_][: media.HEAD_BYTES])


@pytest.mark.parametrize(
    "content",
    [
        HTML,
        SVG,
        EXECUTABLE,
        b"",
        b"\xff",
        b"just words",
        b"\xff\xfe\x00\x00utf-16",
        b" " + PNG,
        MP4.replace(b"isom", b"evil"),
        b"ID3 is how this text begins, and it is no recording",
        b"ID3\x03\x00\x00\x00\x00\x00\x80",
        b"ID3\x04\x00",
    ],
)
def test_whatever_begins_otherwise_is_none_of_ours(content):
    assert media.type_of(content) is None


@pytest.mark.parametrize("start", [0xFB, 0xF3, 0xF2])
def test_an_mp3_without_a_tag_begins_with_a_frame_that_can_be(start):
    assert "audio/mpeg" == media.type_of(bytes([0xFF, start, 0x90, 0x00]))
    assert media.type_of(bytes([0xFF, start, 0xF0, 0x00])) is None, "no such bitrate"
    assert media.type_of(bytes([0xFF, start, 0x9C, 0x00])) is None, "no such sampling rate"


def test_a_part_has_a_content_of_its_own_kind():
    kinds = {"image": PNG, "voice": MP3, "video": MP4}
    for part in kinds:
        assert [part] == [kind for kind, content in kinds.items() if media.fits(part, media.type_of(content))]
    assert all(media.fits("file", media.type_of(content)) for content in (JPEG, MP3, MP4, PDF, ZIP))


def test_what_a_conversation_shows_is_read_as_it_was_spelt():
    content = Media("d" * 64, 3, "image/png")
    assert content == media.read(media.spell(content))
    assert "media_type" == media.read(media.spell("media_type"))


def test_a_reference_to_an_upload_is_no_reference_to_a_platform():
    assert "d" * 64 == media.digest_of(media.ref_of("d" * 64))
    for ref in ("", "media-1", "sha256:", "sha256:" + "D" * 64, "sha256:" + "d" * 65, "x" + media.ref_of("d" * 64)):
        assert media.digest_of(ref) is None


def test_every_type_has_an_ending_here_and_in_the_gateway():
    assert set(EXTENSIONS) == set(SAMPLES)
    endings = {type_: gateway.media.Content(type_, "", b"").file_name for type_ in EXTENSIONS}
    assert {type_: f"file.{extension}" for type_, extension in EXTENSIONS.items()} == endings
    assert "plan.xls" == gateway.media.Content("application/x-ole-storage", "plan.xls", b"").file_name
    assert "plan" == gateway.media.Content("a/type-of-tomorrow", "plan", b"").file_name
