"""What every decider is made of: the refusal it raises, and how its events carry personal data. Pure, standard
library only."""

from dataclasses import dataclass


class Refused(Exception):
    """A rule of the domain says no; nothing was written.

    ``code`` is stable and listed in `access.problems`; ``detail`` tells what was expected and what to do next, and
    never holds an identity.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Plain:
    """Personal data in clear: exists between a request's body and the append, which seals it. Its ``repr`` shows
    nothing."""

    key_id: str
    text: str

    def __repr__(self) -> str:
        return f"Plain({self.key_id})"


@dataclass(frozen=True, slots=True)
class Sealed:
    """Personal data as it is stored: see `amparo.record.v1.SealedField`. ``event_id`` and ``path`` are part of what
    the ciphertext is bound to."""

    event_id: bytes
    path: str
    key_id: str
    ciphertext: bytes
    commitment: bytes


Personal = Plain | Sealed | None
"""The type of a sealed field in an event: ``Plain`` when decided, ``Sealed`` when loaded, ``None`` when not given."""
