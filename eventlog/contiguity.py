"""Owns the rule by which records of one source are taken: each once, in order, the same bytes each time. Pure."""

from collections import OrderedDict
from enum import Enum

REMEMBERED = 1_000
"""Hashes of the latest records, to compare duplicates with. Older ones are compared with nothing."""


class Verdict(Enum):
    """What a record is to a reader: the one to take now, one taken before, or one too far ahead."""

    NEXT = "next"
    DUPLICATE = "duplicate"
    GAP = "gap"


class HashMismatch(Exception):
    """A source's record came twice with different bytes: its log was forked or altered. Nothing more is taken."""

    def __init__(self, source: str, index: int, *, taken: bytes) -> None:
        """``taken``: the SHA-256 of the bytes that came first."""
        super().__init__(f"record {index} of {source} came twice with different bytes")
        self.source = source
        self.index = index
        self.taken = taken


class TakenOtherwise(HashMismatch):
    """A record was taken that its source does not have, or has otherwise. Nothing more is taken: see "When a consumer
    says TakenOtherwise" in docs/guides/operator.md."""

    @property
    def repair(self) -> str:
        """The command of the service that takes the record as its source has it, and all later ones again."""
        return f"retake {self.source}:{self.index}"


class GapFound(Exception):
    """Records are missing in a topic and nobody can give them. Nothing more is taken."""

    def __init__(self, source: str, expected: int, found: int) -> None:
        super().__init__(f"{source}: record {expected} was expected, {found} came, and the source does not give it")
        self.source = source
        self.expected = expected
        self.found = found


class Contiguity:
    """What a reader has seen of one source so far."""

    def __init__(self, source: str, *, last: int, last_hash: bytes) -> None:
        """``last`` is the index of the last record taken, -1 for none; its hash is not known where it is empty."""
        self.source = source
        self.next = last + 1
        self._hashes = OrderedDict({last: last_hash} if last_hash else {})

    def judge(self, index: int, digest: bytes) -> Verdict:
        """What the record is; the next one counts as seen from now on. Raises `HashMismatch`."""
        if index > self.next:
            return Verdict.GAP
        if index < self.next:
            if (taken := self._hashes.get(index, digest)) != digest:
                raise HashMismatch(self.source, index, taken=taken)
            return Verdict.DUPLICATE
        self.next += 1
        self._hashes[index] = digest
        if len(self._hashes) > REMEMBERED:
            self._hashes.popitem(last=False)
        return Verdict.NEXT
