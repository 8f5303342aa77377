"""Owns what bodies and answers of all resources share: bounded texts and codes, the receipt, pages, versions."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from sqlalchemy import Row

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


Name = Annotated[str, StringConstraints(max_length=200)]
Contact = Annotated[str, StringConstraints(max_length=400)]
Place = Annotated[str, StringConstraints(max_length=600)]
Words = Annotated[str, StringConstraints(max_length=2_000)]
NeededWords = Annotated[str, StringConstraints(max_length=2_000, pattern=r"\S")]
Story = Annotated[str, StringConstraints(max_length=8_000, pattern=r"\S")]
"""What happened, in the person's own words. What is longer is a document."""

Flag = StrictBool
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""An opaque code of the mechanism's own lists: an agency, a cause, a project, a territory. Never a name."""
OptionalCode = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")]
PersonId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$")]
"""A person's opaque id in the identity provider."""
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
"""ISO 3166-2, such as `PE-UCA`."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""BCP 47, such as `es`, `qu`, `cni` (Asháninka)."""
TextVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Past = Annotated[AwareDatetime, Field(ge=EARLIEST)]
Hex256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A random UUID in lower case."""


class ReceiptAnswer(Answer):
    """What proves an act. It was recorded once, however often the same request was sent."""

    stream: str = Field(description="The stream that the act was appended to.")
    version: int = Field(description="The stream's version afterwards; also the answer's `ETag`.")
    recorded_at: datetime = Field(description="When it was registered, UTC: what the clocks count from.")
    event_hash: str = Field(description="SHA-256 of the act's first event, hex.")
    receipt: str | None = Field(description="Signed note over the hashes of the act's events. It names nobody.")

    @classmethod
    def members(cls, receipt: Receipt) -> dict[str, object]:
        """The members that every receipt gives."""
        return {
            "stream": receipt.stream,
            "version": receipt.version,
            "recorded_at": receipt.recorded_at,
            "event_hash": receipt.event_hash,
            "receipt": receipt.note,
        }


class Page(Answer, Generic[Item]):
    """Part of a list, newest first."""

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
    digits = sent.strip().removeprefix('"').removesuffix('"')
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        raise Problem("precondition-failed")
    return int(digits)


AtVersion = Annotated[int | None, Depends(if_match)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]


def after(cursor: str | None) -> tuple[datetime, str] | None:
    """The place (recorded_at, id) behind which a page begins. Raises ``Problem`` ``invalid-cursor``."""
    if cursor is None:
        return None
    try:
        at, _, last = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode().partition(" ")
        place = datetime.fromisoformat(at)
    except (ValueError, binascii.Error):
        raise Problem("invalid-cursor") from None
    if place.tzinfo is None or not place >= EARLIEST or not last or "\0" in last:
        raise Problem("invalid-cursor")
    return place, last


def next_cursor(rows: Sequence[Row[tuple[object, ...]]], *, limit: int, id_name: str) -> str | None:
    """The cursor behind the last row of a page that was asked for with one row more than ``limit``."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]._mapping
    return base64.urlsafe_b64encode(f"{last['recorded_at'].isoformat()} {last[id_name]}".encode()).decode()
