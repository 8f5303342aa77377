"""Owns that a query says only what its route knows: a misspelled filter would show everything, and say nothing."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.dependencies.models import Dependant

from access.problems import MAX_ERRORS, FieldError, Problem
from access.reasons import PLAIN_NAME

_known: dict[int, tuple[Dependant, frozenset[str], frozenset[str]]] = {}


def check(request: Request) -> None:
    """Raises `Problem` ``invalid-request`` for a parameter that the route does not know, or that is given twice where
    it takes one value.
    """
    query: bytes = request.scope.get("query_string", b"")
    if not query:
        return
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if dependant is None:
        return
    known, lists = _parameters(dependant)
    seen: set[str] = set()
    errors: dict[FieldError, None] = {}
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            errors[FieldError(reason="unknown", parameter=name if PLAIN_NAME.fullmatch(name) else None)] = None
        elif name in seen and name not in lists:
            errors[FieldError(reason="repeated", parameter=name)] = None
        seen.add(name)
    if errors:
        raise Problem("invalid-request", errors=list(errors)[:MAX_ERRORS])


def _parameters(dependant: Dependant) -> tuple[frozenset[str], frozenset[str]]:
    """The names of a route's query parameters, and of those that are lists."""
    found = _known.get(id(dependant))
    if found is None:
        fields = list(_fields(dependant))
        names, lists = (field.alias for field in fields), (field.alias for field in fields if _is_list(field))
        found = _known[id(dependant)] = (dependant, frozenset(names), frozenset(lists))
    return found[1], found[2]


def _fields(dependant: Dependant) -> Iterator[Any]:
    yield from dependant.query_params
    for inner in dependant.dependencies:
        yield from _fields(inner)


def _is_list(field: Any) -> bool:
    return "list[" in str(field.field_info.annotation)
