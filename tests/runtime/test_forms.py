"""What bodies and parameters of every API share."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from runtime.forms import Instant

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize("text", ["2026-03-02T09:30:00Z", "2026-03-02t04:30:00-05:00", "2026-03-02 09:30:00+00:00"])
def test_an_instant_is_written_out_with_its_zone(text: str) -> None:
    """As RFC 3339 has it."""
    assert INSTANT.validate_python(text) == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "given", ["0.5", "1772443800", 1772443800, 0.5, True, "-1", "2026-03-02", "2026-03-02T09:30:00"]
)
def test_a_number_or_a_text_without_a_zone_is_no_instant(given: object) -> None:
    """Whether seconds or milliseconds are meant is nobody's to guess."""
    with pytest.raises(ValidationError):
        INSTANT.validate_python(given)
