"""The rule by which a reader takes a source's records, as a pure function of what came."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.contiguity import REMEMBERED, Contiguity, HashMismatch, Verdict


def digest(index: int) -> bytes:
    return sha256(str(index).encode()).digest()


def reader(last: int = -1) -> Contiguity:
    return Contiguity("pe.intake", last=last, last_hash=digest(last) if last >= 0 else b"")


@given(arrivals=st.lists(st.integers(0, 12), max_size=60))
def test_each_record_is_taken_once_and_in_order(arrivals: list[int]) -> None:
    """Whatever comes twice, late, or too early."""
    seen = reader()
    taken: list[int] = []
    for index in arrivals:
        expected = len(taken)
        verdict = seen.judge(index, digest(index))
        assert verdict is (
            Verdict.NEXT if index == expected else Verdict.DUPLICATE if index < expected else Verdict.GAP
        )
        if verdict is Verdict.NEXT:
            taken.append(index)
    assert taken == list(range(len(taken)))
    assert seen.next == len(taken)


def test_a_duplicate_has_to_be_the_same() -> None:
    """Else the log was forked, and what was taken is in doubt."""
    seen = reader()
    for index in range(3):
        seen.judge(index, digest(index))
    for index in range(3):
        assert seen.judge(index, digest(index)) is Verdict.DUPLICATE
        with pytest.raises(HashMismatch) as alarm:
            seen.judge(index, digest(99))
        assert (alarm.value.source, alarm.value.index) == ("pe.intake", index)


def test_after_a_restart_the_last_record_is_still_known() -> None:
    """Its hash is kept with the position."""
    seen = reader(last=4)
    assert seen.next == 5
    assert seen.judge(4, digest(4)) is Verdict.DUPLICATE
    with pytest.raises(HashMismatch):
        seen.judge(4, digest(5))
    assert seen.judge(3, digest(99)) is Verdict.DUPLICATE  # nothing is left to compare with


def test_the_memory_of_hashes_is_bounded() -> None:
    """The oldest are forgotten, the latest are not."""
    seen = reader()
    for index in range(REMEMBERED + 5):
        seen.judge(index, digest(index))
    assert seen.judge(0, b"other") is Verdict.DUPLICATE
    with pytest.raises(HashMismatch):
        seen.judge(REMEMBERED, b"other")
