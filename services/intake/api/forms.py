"""Owns the bounded texts and codes that the registry's bodies share."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from runtime.forms import Instant, Storable
from services.intake.consent_texts import VERSIONS

Name = Annotated[str, StringConstraints(max_length=200), Storable]
Contact = Annotated[str, StringConstraints(max_length=400), Storable]
Place = Annotated[str, StringConstraints(max_length=600), Storable]
Words = Annotated[str, StringConstraints(max_length=2_000), Storable]
NeededWords = Annotated[str, StringConstraints(max_length=2_000, pattern=r"\S"), Storable]
Story = Annotated[str, StringConstraints(max_length=8_000, pattern=r"\S"), Storable]
"""What happened, in the person's own words. What is longer is a document."""

Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$")]
"""An account's opaque id. Never a name."""
OptionalCode = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""BCP 47, such as `es`, `qu`, `cni` (Asháninka)."""


def _existing(version: str) -> str:
    if version not in VERSIONS:
        raise PydanticCustomError("enum", "there is no such text", {"expected": ", ".join(sorted(VERSIONS))})
    return version


TextVersion = Annotated[str, AfterValidator(_existing), Field(json_schema_extra={"enum": sorted(VERSIONS)})]
"""Version of a text that is read to a person, in `services.intake.consent_texts`."""
Past = Instant
"""When something happened, as the reporter says."""
Hex256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
