"""Events of the vault as its readers know them: the database writes them, nothing here decides them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalDataRead:
    """Keys were released to read: see the contract for each field."""

    subjects: tuple[str, ...]
    classes: tuple[str, ...]
    purpose: str
    about: str
    rule: str
    asked: int
    released: int
    service: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalDataSealed:
    """Keys were released to seal more under them."""

    subjects: tuple[str, ...]
    about: str
    asked: int
    released: int
    service: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalDataRefused:
    """Somebody was refused personal data, so many times."""

    purpose: str
    rule: str
    about: tuple[str, ...]
    cases: tuple[str, ...]
    times: int
    service: str


EVENTS: tuple[type, ...] = (PersonalDataRead, PersonalDataSealed, PersonalDataRefused)
