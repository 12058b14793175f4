from crdt_sync.adapters.passwords import Argon2Passwords


def test_a_password_is_kept_as_rfc_9106_advises_and_matches_itself_alone():
    passwords = Argon2Passwords()
    kept = passwords.hash("correct horse")

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert [True, False] == [passwords.matches(kept, typed) for typed in ("correct horse", "correct horse ")]
    assert kept != passwords.hash("correct horse")
    assert not passwords.is_dated(kept)
    assert passwords.is_dated(kept.replace("t=3", "t=2"))


def test_nobody_has_a_password():
    assert not Argon2Passwords().matches(None, "nobody")
