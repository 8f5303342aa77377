"""The form of a rule pack's YAML, and the checks that a form alone cannot make: names that meet, clocks that something
stops. Internal."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from procedures import risk, rules

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
EventName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*$", max_length=60)]
Text = Annotated[str, Field(min_length=1, max_length=300)]
Amount = Annotated[int, Field(gt=0)]
Percent = Annotated[int, Field(gt=0, le=1000)]

FAMILIES = Literal[
    "physical",
    "digital",
    "psychosocial",
    "collective_or_territorial",
    "legal",
    "political_or_recognition",
    "relocation_or_economic",
    "consular",
    "environmental",
    "gender_specific",
]
KINDS = Literal["police", "prosecutor", "ombudsman", "ministry", "subprefecture", "judiciary", "regional_round_table"]

REFERRAL_STOPS = {
    "acknowledge": (
        "ReferralAcknowledged",
        "ReferralAccepted",
        "ReferralRejected",
        "ReferralAnswered",
        "ReferralRecalled",
    ),
    "answer": ("ReferralAnswered", "ReferralRejected", "ReferralRecalled"),
}
"""What stops the two clocks that every referral has."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LimitForm(_Part):
    """Exactly one unit with its amount."""

    seconds: Amount | None = None
    hours: Amount | None = None
    calendar_days: Amount | None = None
    business_days: Amount | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("a limit has exactly one unit: seconds, hours, calendar_days or business_days")
        return self

    def typed(self, scale: float) -> rules.Limit:
        (unit,) = self.model_fields_set
        return rules.Limit(amount=getattr(self, unit), unit=rules.Unit(unit), scale=scale)


class DutyForm(_Part):
    """What a clock of a case and a clock of a referral have in common."""

    name: Name
    limit: LimitForm
    duty: Name
    kind: Literal["statutory", "service_target"]
    basis: Text
    ladder: Name
    calendar: str = ""


class ClockForm(DutyForm):
    starts_on: EventName
    stops_on: Annotated[list[EventName], Field(min_length=1)]
    track: Name | None = None


class PurposeForm(_Part):
    name: Name
    needs: Annotated[list[Literal["identity", "contact", "place", "narrative"]], Field(min_length=1)]
    at_filing: list[KINDS]
    basis: Text
    clocks: list[DutyForm]

    @model_validator(mode="after")
    def _both_clocks(self) -> Self:
        if sorted(clock.name for clock in self.clocks) != ["acknowledge", "answer"]:
            raise ValueError("a purpose has the clocks acknowledge and answer, each once")
        return self


class TrackForm(_Part):
    name: Name
    imminent: bool
    basis: Text


class MeasureForm(_Part):
    name: Name
    family: FAMILIES
    implementer: KINDS
    urgent: bool = False
    prior_police_opinion: bool = False
    basis: Text


class VariablesForm(_Part):
    threat: Annotated[list[Name], Field(min_length=1)]
    vulnerability: Annotated[list[Name], Field(min_length=1)]
    capacity: Annotated[list[Name], Field(min_length=1)]


class ThresholdsForm(_Part):
    extraordinary: Amount
    extreme: Amount


class RiskForm(_Part):
    method: Name
    version: Text
    variables: VariablesForm
    thresholds: ThresholdsForm

    @model_validator(mode="after")
    def _known_and_rising(self) -> Self:
        if (self.method, self.version) not in risk.METHODS:
            raise ValueError(f"method {self.method} {self.version} is not one of {sorted(risk.METHODS)}")
        if self.thresholds.extraordinary >= self.thresholds.extreme:
            raise ValueError("the threshold of extreme must be above that of extraordinary")
        return self

    def typed(self) -> rules.RiskRule:
        return rules.RiskRule(
            method=self.method,
            version=self.version,
            variables=tuple(
                (axis, name)
                for axis in ("threat", "vulnerability", "capacity")
                for name in getattr(self.variables, axis)
            ),
            thresholds=(("extraordinary", self.thresholds.extraordinary), ("extreme", self.thresholds.extreme)),
        )


class PackForm(_Part):
    """A whole pack. `problems` lists what its parts say against each other."""

    id: Name
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    status: Literal["verified", "unverified", "drill"]
    title: Text
    roles: Annotated[list[Name], Field(min_length=1)]
    tracks: list[TrackForm]
    stages: Annotated[list[Name], Field(min_length=2)]
    ladders: dict[Name, dict[Percent, Annotated[list[Name], Field(min_length=1)]]]
    clocks: Annotated[list[ClockForm], Field(min_length=1)]
    purposes: Annotated[list[PurposeForm], Field(min_length=1)]
    measures: Annotated[list[MeasureForm], Field(min_length=1)]
    risk: RiskForm

    def problems(self) -> list[tuple[str, str]]:
        """What contradicts itself, as (path, reason)."""
        found: list[tuple[str, str]] = []
        for path, names in self._names():
            found += [
                (path, f"{name} is declared twice")
                for name in sorted({name for name in names if names.count(name) > 1})
            ]
        if sorted(track.imminent for track in self.tracks) != [False, True]:
            found.append(("tracks", "one track is for imminent danger, and one is not"))
        for ladder, rungs in self.ladders.items():
            if list(rungs) != sorted(rungs):
                found.append((f"ladders.{ladder}", "the rungs must rise"))
            for percent, told in rungs.items():
                found += [
                    (f"ladders.{ladder}.{percent}", f"{role} is no role of the pack")
                    for role in told
                    if role not in self.roles
                ]
        known = {track.name for track in self.tracks}
        for path, clock in self._duties():
            if clock.duty not in self.roles:
                found.append((f"{path}.duty", f"{clock.duty} is no role of the pack"))
            if clock.ladder not in self.ladders:
                found.append((f"{path}.ladder", f"{clock.ladder} is no ladder of the pack"))
            if isinstance(clock, ClockForm) and clock.track and clock.track not in known:
                found.append((f"{path}.track", f"{clock.track} is no track of the pack"))
            if isinstance(clock, ClockForm) and clock.starts_on in clock.stops_on:
                found.append((f"{path}.stops_on", f"{clock.starts_on} starts the clock, so it cannot stop it"))
        asked = [kind for purpose in self.purposes for kind in purpose.at_filing]
        found += [
            ("purposes", f"{kind} is asked for two things at filing")
            for kind in sorted({k for k in asked if asked.count(k) > 1})
        ]
        return found

    def _names(self) -> list[tuple[str, list[str]]]:
        return [
            ("tracks", [track.name for track in self.tracks]),
            ("stages", list(self.stages)),
            ("clocks", [f"{clock.name} on {clock.track or 'every track'}" for clock in self.clocks]),
            ("purposes", [purpose.name for purpose in self.purposes]),
            ("measures", [measure.name for measure in self.measures]),
            ("risk.variables", [name for _, name in self.risk.typed().variables]),
        ]

    def _duties(self) -> list[tuple[str, DutyForm]]:
        return [(f"clocks.{n}", clock) for n, clock in enumerate(self.clocks)] + [
            (f"purposes.{n}.clocks.{m}", clock)
            for n, purpose in enumerate(self.purposes)
            for m, clock in enumerate(purpose.clocks)
        ]

    def typed(self, scale: float) -> rules.Pack:
        """The pack as the house uses it, its limits times ``scale``. `problems` must have found nothing."""
        return rules.Pack(
            id=self.id,
            version=self.version if scale == 1 else f"{self.version}x{scale:g}",
            status=rules.Status(self.status),
            title=self.title,
            tracks=tuple(rules.Track(name=t.name, imminent=t.imminent, basis=t.basis) for t in self.tracks),
            stages=tuple(self.stages),
            clocks=tuple(
                self._clock(c, scale, c.starts_on, tuple(c.stops_on), track=c.track or "") for c in self.clocks
            ),
            purposes=tuple(
                rules.Purpose(
                    name=p.name,
                    needs=tuple(p.needs),
                    at_filing=tuple(p.at_filing),
                    basis=p.basis,
                    clocks=tuple(
                        self._clock(c, scale, "ReferralSent", REFERRAL_STOPS[c.name], purpose=p.name) for c in p.clocks
                    ),
                )
                for p in self.purposes
            ),
            measures=tuple(rules.MeasureRule(**measure.model_dump()) for measure in self.measures),
            risk=self.risk.typed(),
        )

    def _clock(
        self,
        form: DutyForm,
        scale: float,
        starts_on: str,
        stops_on: tuple[str, ...],
        *,
        track: str = "",
        purpose: str = "",
    ) -> rules.Clock:
        return rules.Clock(
            name=form.name,
            starts_on=starts_on,
            stops_on=stops_on,
            limit=form.limit.typed(scale),
            duty=form.duty,
            kind=rules.ClockKind(form.kind),
            basis=form.basis,
            rungs=tuple(
                rules.Rung(percent=percent, told=tuple(told)) for percent, told in self.ladders[form.ladder].items()
            ),
            track=track,
            purpose=purpose,
            calendar=form.calendar,
        )
