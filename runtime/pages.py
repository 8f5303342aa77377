"""Pages of every API's lists: where one ends and the next begins."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import Field

from access.policy import DataClass
from access.problems import Problem
from runtime.answers import Answer

MAX_PAGE = 200
DEFAULT_PAGE = 50
LONGEST_CURSOR = 400

Item = TypeVar("Item")


class Page(Answer, Generic[Item], says=DataClass.PUBLIC):
    """Part of a list, in its order."""

    items: Sequence[Item]
    next_cursor: str | None = Field(description="Send it as `cursor` for what follows; null at the end.")


Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before; left out for the first."),
]


def cursor(*place: datetime | str | int) -> str:
    """The opaque form of a place in a list: what its items are ordered by."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in place]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def place(given: str, *kinds: type) -> tuple[Any, ...]:
    """The place in a cursor, whose members are of these kinds. Raises `Problem` ``invalid-cursor``."""
    try:
        plain = json.loads(base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True))
        if not isinstance(plain, list) or len(plain) != len(kinds):
            raise Problem("invalid-cursor")
        return tuple(_member(value, kind) for value, kind in zip(plain, kinds, strict=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise Problem("invalid-cursor") from None


def _member(value: object, kind: type) -> object:
    if kind is datetime and isinstance(value, str):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError
        return at
    if type(value) is not kind or (kind is int and not -(2**63) <= value < 2**63):  # type: ignore[operator]
        raise ValueError
    if isinstance(value, str) and "\0" in value:
        raise ValueError
    return value
