"""Owns what bodies and answers of all resources share: bounded texts, the receipt, versions, cursors."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Header, Path, Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from access.problems import Problem
from eventlog.receipts import Receipt

MAX_PAGE = 200
DEFAULT_PAGE = 50
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)

Item = TypeVar("Item")


class Body(BaseModel):
    """A body as it is sent: what it does not name is refused, so that a misspelled member never goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _encodable(text: str) -> str:
    text.encode()  # half a surrogate pair is no text
    if "\0" in text:
        raise ValueError("a text holds no NUL")
    return text


Words = Annotated[str, AfterValidator(_encodable), StringConstraints(max_length=4_000)]
OfficeName = Annotated[str, AfterValidator(_encodable), StringConstraints(max_length=200, pattern=r"\S")]
LegalBasis = Annotated[str, AfterValidator(_encodable), StringConstraints(max_length=80)]
AgencyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+){0,7}$", max_length=63)]
OptionalAgencyId = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+){0,7})?$", max_length=63)]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
"""ISO 3166-2, such as `PE-UCA`."""
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A random UUID in lower case."""
Instant = Annotated[AwareDatetime, Field(ge=EARLIEST)]
ReferralIdPath = Annotated[Uuid, Path(description="As the inbox gives it.")]


class Due(Answer):
    """What your agency owes next."""

    clock: str = Field(description="`acknowledge` or `answer`.")
    due: datetime = Field(description="The last moment, UTC.")


class ReceiptAnswer(Answer):
    """What proves an act. It was recorded once, however often the same request was sent."""

    stream: str = Field(description="The stream that the act was appended to.")
    version: int = Field(description="The stream's version after the act.")
    recorded_at: datetime = Field(description="When it was recorded, UTC: what the clocks count by.")
    event_hash: str = Field(description="SHA-256 of the act's first event, hex.")
    receipt: str = Field(description="Signed note over the hashes of the act's events. It names nobody.")


def receipt_members(receipt: Receipt) -> dict[str, object]:
    """The members that every `ReceiptAnswer` has."""
    return {
        "stream": receipt.stream,
        "version": receipt.version,
        "recorded_at": receipt.recorded_at,
        "event_hash": receipt.event_hash,
        "receipt": receipt.note,
    }


class Page(Answer, Generic[Item]):
    """Part of a list, in its order."""

    items: Sequence[Item]
    next_cursor: str | None = Field(description="Send it as `cursor` for what follows; null at the end.")


def tag(response: Response, version: int) -> None:
    """Gives the answer its ``ETag``, the version."""
    response.headers["ETag"] = f'"{version}"'


def if_match(
    sent: Annotated[
        str | None, Header(alias="If-Match", max_length=64, description='Refuse unless at this version: `"3"`.')
    ] = None,
) -> int | None:
    """The version that an act insists on, None for any. What is no version of ours matches nothing."""
    if sent is None or sent.strip() == "*":
        return None
    if (number := _number(sent.strip().removeprefix('"').removesuffix('"'))) is None:
        raise Problem("precondition-failed")
    return number


AtVersion = Annotated[int | None, Depends(if_match)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of an earlier answer.")]
KnownTag = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]


def cursor_of(kind: str, place: object) -> str:
    """An opaque cursor behind a place of one kind of list."""
    return base64.urlsafe_b64encode(f"{kind} {place}".encode()).decode()


def place_in(cursor: str | None, kind: str) -> str | None:
    """The place that a cursor of this kind of list stands for. Raises ``Problem`` ``invalid-cursor``."""
    if cursor is None:
        return None
    try:
        found, _, place = (
            base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode().partition(" ")
        )
    except (ValueError, binascii.Error):
        raise Problem("invalid-cursor") from None
    if found != kind or not place or "\0" in place:
        raise Problem("invalid-cursor")
    return place


def number_in(cursor: str | None, kind: str) -> int:
    """As `place_in`, for lists that are counted; 0 without a cursor."""
    place = place_in(cursor, kind)
    if place is None:
        return 0
    if (number := _number(place)) is None:
        raise Problem("invalid-cursor")
    return number


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
