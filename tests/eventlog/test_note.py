"""Signed notes agree with the implementation that the format comes from.

Keys and signatures: golang/mod, ``sumdb/note/note_test.go``.
"""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.transparency.note import BadNote, NoteSigner, NoteVerifier, open_note

SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER = NoteVerifier.load("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
ENOCH = NoteVerifier.load("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"


def test_the_same_key_makes_the_same_note() -> None:
    """Ed25519 is deterministic, so two implementations agree to the byte."""
    assert NoteSigner.load(SIGNER).sign(TEXT) == f"{TEXT}\n{BY_PETER}"


def test_a_key_survives_being_written_down() -> None:
    """Signer and verifier keys are read back as they were."""
    signer = NoteSigner.load(SIGNER)
    assert signer.key_text == SIGNER
    assert signer.verifier == PETER
    assert NoteVerifier.load(signer.verifier_text) == PETER


def test_unknown_keys_are_passed_over() -> None:
    """A note may carry signatures of witnesses that the reader has never heard of."""
    note = f"{TEXT}\n{BY_PETER}{BY_ENOCH}"
    assert open_note(note, [PETER]) == (TEXT, (PETER,))
    assert open_note(note, [ENOCH]) == (TEXT, (ENOCH,))
    assert open_note(note, [PETER, ENOCH]) == (TEXT, (PETER, ENOCH))


def test_a_note_without_a_known_signature_is_refused() -> None:
    """Unsigned is worth nothing."""
    with pytest.raises(BadNote, match="known key"):
        open_note(f"{TEXT}\n{BY_PETER}", [])


def test_a_known_key_that_fails_rejects_the_whole_note() -> None:
    """Another signature that holds does not heal it."""
    with pytest.raises(BadNote, match="does not hold"):
        open_note(f"{TEXT}\n{BY_ENOCH}{BY_PETER}".replace("problem is", "problem was"), [PETER, ENOCH])


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{BY_PETER[:-1]}",
        f"\x01{TEXT}\n{BY_PETER}",
        f"{TEXT}\n— Bad Name {BY_PETER.split()[2]}\n",
        f"{TEXT}\n{BY_PETER}Unexpected line.\n",
        f"{TEXT}\n{BY_PETER * 101}",
        f"{TEXT}\n— PeterNeumann AAAA\n",
        f"{TEXT}\n— PeterNeumann {BY_PETER.split()[2]}!\n",
        "",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    """Nothing that differs from the format is guessed at."""
    with pytest.raises(BadNote):
        open_note(note, [PETER])


@given(cut=st.tuples(st.integers(0, 70), st.integers(0, 70)))
def test_a_part_of_a_key_is_no_key(cut: tuple[int, int]) -> None:
    """A key that was cut off when it was copied is noticed."""
    text = str(PETER)
    part = text[cut[0] : cut[1]]
    if part != text:
        with pytest.raises(BadNote):
            NoteVerifier.load(part)


@given(place=st.integers(0, len(SIGNER) - 1))
def test_a_mistyped_key_is_no_key(place: int) -> None:
    """The key's id is a checksum over name, algorithm and key."""
    typed = SIGNER[:place] + chr(ord(SIGNER[place]) + 1) + SIGNER[place + 1 :]
    with pytest.raises(BadNote):
        NoteSigner.load(typed)


@pytest.mark.parametrize(
    "key",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+zz4f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        f"Peter Neumann+c74f20a3+{base64.b64encode(bytes(33)).decode()}",
    ],
)
def test_keys_of_other_kinds_are_refused(key: str) -> None:
    """Wrong length, unknown algorithm, an id that is no number, a name with a space."""
    with pytest.raises(BadNote):
        NoteVerifier.load(key)


def test_a_text_without_its_last_line_feed_is_not_signed() -> None:
    """It could not be told from its signatures."""
    with pytest.raises(BadNote):
        NoteSigner.load(SIGNER).sign("abc")
