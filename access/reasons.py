"""Owns the kinds of fault that a form or a parameter can have: stable words of ours, whatever library finds them."""

import re
from collections.abc import Mapping
from typing import Any

PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What looks like a member's or parameter's name is repeated to whoever misspelled it; anything else may be a value."""

REASONS: Mapping[str, str] = {
    "missing": "It is needed",
    "unknown": "No member or parameter of this name is known",
    "repeated": "It is given more than once",
    "wrong-type": "It is of another type than documented",
    "wrong-form": "It does not have the documented form",
    "not-in-list": "It is none of the documented values",
    "too-short": "It is shorter than allowed",
    "too-long": "It is longer than allowed",
    "too-few": "It has fewer items than needed",
    "too-many": "It has more items than allowed",
    "too-small": "It is lower or earlier than allowed",
    "too-large": "It is higher or later than allowed",
    "time-zone-missing": "The instant does not say its time zone",
    "in-future": "The instant lies in the future",
    "out-of-order": "It does not lie after the other end of the range",
    "not-registered": "No such agency is registered",
    "invalid": "It breaks a rule that the documentation of the route names",
}
"""Reason → what it means. Stable once released: add, never rename."""

_KINDS: Mapping[str, str] = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "string_pattern_mismatch": "wrong-form",
    "enum": "not-in-list",
    "literal_error": "not-in-list",
    "string_too_short": "too-short",
    "string_too_long": "too-long",
    "too_short": "too-few",
    "too_long": "too-many",
    "greater_than": "too-small",
    "greater_than_equal": "too-small",
    "less_than": "too-large",
    "less_than_equal": "too-large",
    "timezone_aware": "time-zone-missing",
    "int_from_float": "wrong-type",
    "finite_number": "wrong-form",
    "value_error": "wrong-form",
    "assertion_error": "invalid",
}
_BOUNDS = ("pattern", "expected", "max_length", "min_length", "ge", "gt", "le", "lt")
_LONGEST = 600


def reason_of(kind: str) -> str:
    """Our word for the validator's kind of error; ``invalid`` for one without a word of its own."""
    if kind in _KINDS:
        return _KINDS[kind]
    if kind.endswith("_type"):
        return "wrong-type"
    return "wrong-form" if "_parsing" in kind or kind.endswith(("_parsing_size", "_inner")) else "invalid"


def expected_of(context: Mapping[str, Any]) -> str | None:
    """What the form asks for, of what the validator knows of the rule: never of what it was given."""
    found = next((f"{context[name]}" for name in _BOUNDS if name in context), None)
    return found if found is not None and len(found) <= _LONGEST else None
