"""What the filer gets at once, and can prove alone."""

from hashlib import sha256

import pytest

from eventlog.receipts import Receipt, check_receipt, sign_receipt
from eventlog.transparency.note import BadNote, NoteSigner
from tests.eventlog.conftest import NOW

SIGNER = NoteSigner.generate("pe.intake")
HASHES = (sha256(b"one").digest(), sha256(b"two").digest())


def signed() -> Receipt:
    """For events 3 and 4 of a stream."""
    return sign_receipt(
        signer=SIGNER,
        source="pe.intake",
        stream="request/1",
        version=4,
        recorded_at=NOW,
        event_ids=(b"\1" * 16, b"\2" * 16),
        hashes=HASHES,
    )


def test_a_receipt_proves_each_event_by_its_version() -> None:
    """With the source's public key and nothing else."""
    receipt = signed()
    assert check_receipt(receipt.note, verifier=SIGNER.verifier) == {3: HASHES[0], 4: HASHES[1]}
    assert receipt.event_hash == HASHES[0].hex()


def test_a_stored_receipt_is_the_same_receipt() -> None:
    """A repeated act is answered with the first one's, to the byte."""
    assert Receipt.from_json(signed().to_json()) == signed()


def test_an_altered_receipt_is_refused() -> None:
    """Nobody can move an act to another day."""
    with pytest.raises(BadNote):
        check_receipt(signed().note.replace("2026-03-02", "2026-03-03"), verifier=SIGNER.verifier)


def test_another_sources_receipt_is_refused() -> None:
    """The key decides, not the name in the text."""
    with pytest.raises(BadNote):
        check_receipt(signed().note, verifier=NoteSigner.generate("pe.intake").verifier)


def test_a_signed_note_of_another_kind_is_no_receipt() -> None:
    """A checkpoint under the same key must not pass for one."""
    for text in ("amparo/checkpoint\n5\nAAAA\n", "amparo.receipt/v1\npe.intake\nrequest/1\n2026\n"):
        with pytest.raises(BadNote):
            check_receipt(SIGNER.sign(text), verifier=SIGNER.verifier)


def test_a_receipt_names_nobody() -> None:
    """Whoever finds it learns a stream, an instant and hashes."""
    lines = signed().note.splitlines()
    assert lines[:4] == ["amparo.receipt/v1", "pe.intake", "request/1", NOW.isoformat()]
    assert len(lines) == 8
