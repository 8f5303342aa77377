"""Personal data in a sealed field: readable with the key, provable with the opener, and otherwise nothing."""

import hmac
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.decider import Sealed
from eventlog.sealing import SIZE_CLASSES, TooLong, WrongKey, commit, seal, unseal

SECRET = bytes(range(32))
EVENT = b"e" * 16
OVERHEAD = 1 + 32 + 12 + 16


def sealed(text: str, *, secret: bytes = SECRET, path: str = "narrative") -> tuple[Sealed, bytes]:
    """The field as it is loaded, and its opener."""
    field, opener = seal(text, secret=secret, key_id="subject-1", event_id=EVENT, path=path)
    return Sealed(EVENT, field.path, field.key_id, field.ciphertext, field.commitment), opener


@given(text=st.text(max_size=3_000))
def test_what_was_sealed_is_read_back(text: str) -> None:
    """With its opener, and whatever its letters."""
    field, opener = sealed(text)
    assert unseal(field, secret=SECRET) == (text, opener)


@given(text=st.text(max_size=300), secret=st.binary(min_size=32, max_size=32).filter(lambda s: s != SECRET))
def test_another_key_opens_nothing(text: str, secret: bytes) -> None:
    """Also not a key that was made to fit: the key itself is committed to."""
    with pytest.raises(WrongKey):
        unseal(sealed(text)[0], secret=secret)


@pytest.mark.parametrize("change", [{"event_id": b"f" * 16}, {"path": "reason"}, {"key_id": "subject-2"}])
def test_a_field_belongs_to_its_event_its_place_and_its_subject(change: dict[str, object]) -> None:
    """Nobody's story can be moved under another's name."""
    with pytest.raises(WrongKey):
        unseal(replace(sealed("a story")[0], **change), secret=SECRET)  # type: ignore[arg-type]


def test_places_are_told_apart_however_they_are_cut() -> None:
    """``a`` in ``bc`` is not ``ab`` in ``c``."""
    field, _ = seal("text", secret=SECRET, key_id="bc", event_id=EVENT, path="a")
    with pytest.raises(WrongKey):
        unseal(Sealed(EVENT, "ab", "c", field.ciphertext, field.commitment), secret=SECRET)


@given(data=st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject) -> None:
    """In the format byte, the key's commitment, the nonce, the text, the padding or the tag."""
    field, _ = sealed("a story")
    place = data.draw(st.integers(0, len(field.ciphertext) * 8 - 1))
    altered = bytearray(field.ciphertext)
    altered[place // 8] ^= 1 << place % 8
    with pytest.raises(WrongKey):
        unseal(replace(field, ciphertext=bytes(altered)), secret=SECRET)


@given(length=st.integers(0, 109))
def test_a_field_that_was_cut_short_is_refused(length: int) -> None:
    """As altered, not by some other error."""
    field, _ = sealed("a story")
    with pytest.raises(WrongKey):
        unseal(replace(field, ciphertext=field.ciphertext[:length]), secret=SECRET)


@given(text=st.text(max_size=40), other=st.text(max_size=40))
def test_the_opener_proves_the_text_and_no_other(text: str, other: str) -> None:
    """What the filer holds shows what was filed, to anyone who sees the record."""
    field, opener = sealed(text)
    assert hmac.compare_digest(commit(opener, text.encode()), field.commitment)
    assert (commit(opener, other.encode()) == field.commitment) == (text == other)
    assert field.commitment == hmac.digest(opener, text.encode(), sha256)


def test_a_commitment_that_does_not_hold_is_refused() -> None:
    """Else the service could show one text and have committed to another."""
    with pytest.raises(WrongKey):
        unseal(replace(sealed("a story")[0], commitment=bytes(32)), secret=SECRET)


def test_the_same_text_never_looks_the_same() -> None:
    """Two reports by one person cannot be matched by whoever sees the log."""
    (first, one), (second, two) = sealed("Ana"), sealed("Ana")
    assert one != two
    assert first.commitment != second.commitment
    assert first.ciphertext[33:] != second.ciphertext[33:]


@pytest.mark.parametrize("size", SIZE_CLASSES)
def test_a_length_tells_its_class_only(size: int) -> None:
    """The shortest and the longest text of a class give the same number of bytes."""
    fits = "x" * (size - 36)
    field, _ = sealed(fits)
    assert len(field.ciphertext) == OVERHEAD + size
    smaller = [each for each in SIZE_CLASSES if each < size]
    shortest = "x" * (smaller[-1] - 36 + 1) if smaller else ""
    assert len(sealed(shortest)[0].ciphertext) == OVERHEAD + size
    assert unseal(field, secret=SECRET)[0] == fits


def test_what_fits_no_class_is_a_document() -> None:
    """It is refused, not cut."""
    with pytest.raises(TooLong):
        sealed("x" * (SIZE_CLASSES[-1] - 35))


def test_each_field_has_a_key_of_its_own() -> None:
    """The key's commitment differs from field to field, so the fields of one subject cannot be told by it."""
    one, other = sealed("text")[0], sealed("text", path="reason")[0]
    assert one.ciphertext[1:33] != other.ciphertext[1:33]
