"""What bodies and answers of every API share: strict models, bounded texts and codes, the receipt, versions."""

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header, Response
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from access.policy import DataClass
from access.problems import Problem
from eventlog.receipts import Receipt
from runtime.answers import Answer

WRITTEN_OUT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


class Body(BaseModel):
    """A body as it is sent: what it does not name is refused, so that a misspelled member never goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Body):
    """An act that needs no word: `{}`."""


def _storable(text: str) -> str:
    text.encode()  # half a surrogate pair is no text; as a ValueError it becomes a problem of this field
    if "\0" in text:
        raise ValueError("a text holds no NUL")
    return text


Storable = AfterValidator(_storable)
"""To be named after a text's own bounds, else these are not documented: ``Annotated[str, StringConstraints(…),
Storable]``."""
Text = Annotated[str, Storable]
Flag = StrictBool
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""An opaque code of the mechanism's own lists: an agency, a measure, a cause, a project. Never a name."""
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
"""ISO 3166-2, such as `PE-UCA`."""
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A random UUID in lower case."""


def _written_out(given: object) -> object:
    # The library also takes a number for seconds or milliseconds of the epoch, by its size: nobody documents that.
    if isinstance(given, str) and WRITTEN_OUT.match(given):
        return given
    raise PydanticCustomError("datetime_parsing", "an instant is written out")


Instant = Annotated[AwareDatetime, BeforeValidator(_written_out), Field(ge=EARLIEST)]
"""RFC 3339 with its time zone; never a number."""


class ReceiptAnswer(Answer, says=DataClass.EVIDENCE_METADATA):
    """What proves an act. It was recorded once, however often the same request was sent."""

    stream: str = Field(description="The stream that the act was appended to.")
    version: int = Field(description="The stream's version afterwards; also the answer's `ETag`.")
    recorded_at: datetime = Field(description="When it was registered, UTC: what the clocks count by.")
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
