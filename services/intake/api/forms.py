"""Owns the bounded texts and codes that the registry's bodies share."""

from typing import Annotated

from pydantic import StringConstraints

from runtime.forms import Instant, Storable

Name = Annotated[str, StringConstraints(max_length=200), Storable]
Contact = Annotated[str, StringConstraints(max_length=400), Storable]
Place = Annotated[str, StringConstraints(max_length=600), Storable]
Words = Annotated[str, StringConstraints(max_length=2_000), Storable]
NeededWords = Annotated[str, StringConstraints(max_length=2_000, pattern=r"\S"), Storable]
Story = Annotated[str, StringConstraints(max_length=8_000, pattern=r"\S"), Storable]
"""What happened, in the person's own words. What is longer is a document."""

OptionalCode = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")]
PersonId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$")]
"""A person's opaque id in the identity provider."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""BCP 47, such as `es`, `qu`, `cni` (Asháninka)."""
TextVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Past = Instant
"""When something happened, as the reporter says."""
Hex256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
