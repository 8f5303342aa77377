"""Owns how sealed fields of stored events are found and opened, once the vault has released their keys."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass

from eventlog.decider import Sealed
from eventlog.sealing import unseal

_CLASSES: Mapping[str, str] = {"name": "identity", "contact": "contact", "place": "place", "profile": "profile"}


def class_of(path: str) -> str:
    """The data class of a sealed field, by its path; what is told in free words is a narrative."""
    return _CLASSES.get(path.rpartition(".")[2], "narrative")


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Texts in clear and their openers, by (version of the event, field path). Its ``repr`` shows none."""

    clear: Mapping[tuple[int, str], str] = field(default_factory=dict, repr=False)
    openers: Mapping[tuple[int, str], bytes] = field(default_factory=dict, repr=False)
    destroyed: tuple[str, ...] = ()
    """Keys (subjects) whose texts nobody can read any more."""


def sealed_in(value: object) -> Iterator[Sealed]:
    """The sealed fields of an event, also those of messages inside it."""
    if isinstance(value, Sealed):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from sealed_in(item)
    elif is_dataclass(value):
        for member in fields(value):
            yield from sealed_in(getattr(value, member.name))


def unsealed(sealed: Iterable[tuple[int, Sealed]], *, secrets: Mapping[str, bytes]) -> Texts:
    """Opens (version, field) pairs under the secrets (key id → 32 bytes). A key that is not there was destroyed.

    Raises ``WrongKey`` for a field that was altered.
    """
    clear, openers, destroyed = {}, {}, set()
    for version, each in sealed:
        if each.key_id in secrets:
            place = (version, each.path)
            clear[place], openers[place] = unseal(each, secret=secrets[each.key_id])
        else:
            destroyed.add(each.key_id)
    return Texts(clear=clear, openers=openers, destroyed=tuple(sorted(destroyed)))
