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


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRotationBegun:
    """A new version of the key-encryption key is there: see the contract for each field of these."""

    version: str
    before: tuple[str, ...]
    keys: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysRewrapped:
    """Every key that is not destroyed is under the new version."""

    version: str
    before: tuple[str, ...]
    keys: int
    destroyed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyVersionsRetired:
    """Earlier versions open nothing any more."""

    versions: tuple[str, ...]


EVENTS: tuple[type, ...] = (
    PersonalDataRead,
    PersonalDataSealed,
    PersonalDataRefused,
    KeyRotationBegun,
    KeysRewrapped,
    KeyVersionsRetired,
)
