"""Owns the bounded texts, ids and the next duty that the resources of referrals share."""

from datetime import datetime
from typing import Annotated

from fastapi import Header, Path
from pydantic import Field, StringConstraints

from access.policy import DataClass
from runtime.answers import Answer
from runtime.forms import Text, Uuid

Words = Annotated[Text, StringConstraints(max_length=4_000)]
OfficeName = Annotated[Text, StringConstraints(max_length=200, pattern=r"\S")]
LegalBasis = Annotated[Text, StringConstraints(max_length=80)]
AgencyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+){0,7}$", max_length=63)]
OptionalAgencyId = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+){0,7})?$", max_length=63)]
ReferralIdPath = Annotated[Uuid, Path(description="As the inbox gives it.")]
KnownTag = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]


class Due(Answer, says=DataClass.AGENCY_FACTS):
    """What your agency owes next."""

    clock: str = Field(description="`acknowledge` or `answer`.")
    due: datetime = Field(description="The last moment, UTC.")
