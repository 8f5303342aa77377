"""Owns the receipt: a signed note over the hashes of the events of one act. It is given at once and needs nobody's
later word.

The text's lines: ``amparo.receipt/v1``, the source, the stream, the instant of recording, then ``<version> <base64
SHA-256 of the event>`` for each event. It names no person and says nothing of the act.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventlog.transparency.note import BadNote, NoteSigner, NoteVerifier, open_note

HEADER = "amparo.receipt/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an act left: the stream and its version afterwards, the events' SHA-256 hashes in order, and the signed
    note. ``repeats``: the act recorded nothing itself; the events are what another act had recorded before."""

    stream: str
    version: int
    recorded_at: datetime
    event_ids: tuple[str, ...]
    hashes: tuple[bytes, ...]
    note: str
    repeats: bool = False

    @property
    def event_hash(self) -> str:
        """Hex SHA-256 of the act's first event: the one it is named by."""
        return self.hashes[0].hex()

    def to_json(self) -> str:
        """The form that is stored with the act."""
        return json.dumps(
            {
                "stream": self.stream,
                "version": self.version,
                "recorded_at": self.recorded_at.isoformat(),
                "event_ids": self.event_ids,
                "hashes": [h.hex() for h in self.hashes],
                "note": self.note,
                **({"repeats": True} if self.repeats else {}),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Receipt":
        """Reads `to_json`'s form."""
        found: Mapping[str, object] = json.loads(text)
        return cls(
            stream=str(found["stream"]),
            version=int(str(found["version"])),
            recorded_at=datetime.fromisoformat(str(found["recorded_at"])),
            event_ids=tuple(found["event_ids"]),  # type: ignore[arg-type]
            hashes=tuple(bytes.fromhex(h) for h in found["hashes"]),  # type: ignore[attr-defined]
            note=str(found["note"]),
            repeats=bool(found.get("repeats", False)),
        )


def sign_receipt(
    *,
    signer: NoteSigner,
    source: str,
    stream: str,
    version: int,
    recorded_at: datetime,
    event_ids: Sequence[bytes],
    hashes: Sequence[bytes],
) -> Receipt:
    """The receipt of events ``version - len(hashes) + 1`` to ``version`` of a stream."""
    first = version - len(hashes) + 1
    lines = [HEADER, source, stream, recorded_at.isoformat()]
    lines += [f"{first + n} {base64.b64encode(h).decode()}" for n, h in enumerate(hashes)]
    note = signer.sign("\n".join(lines) + "\n")
    ids = tuple(event_id.hex() for event_id in event_ids)
    return Receipt(
        stream=stream, version=version, recorded_at=recorded_at, event_ids=ids, hashes=tuple(hashes), note=note
    )


def check_receipt(note: str, *, verifier: NoteVerifier) -> Mapping[int, bytes]:
    """The hashes by version that a receipt's note proves. Raises `BadNote`."""
    text, _ = open_note(note, [verifier])
    header, *lines = text[:-1].split("\n")
    if header != HEADER or len(lines) < 4:
        raise BadNote("not a receipt")
    try:
        proven = [line.split(" ") for line in lines[3:]]  # after source, stream and instant
        return {int(version): base64.b64decode(encoded, validate=True) for version, encoded in proven}
    except ValueError:
        raise BadNote("not a receipt") from None
