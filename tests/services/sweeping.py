"""A sweep over every route with an id in its path, its query or its body, made from a service's OpenAPI document: for
whoever may not see a thing, its id and an id that nobody has give the very same answer.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from access.authorization import Role

RANDOM = frozenset({"x-request-id", "date", "dpop-nonce"})
"""Headers that differ between any two answers."""
STAFF = frozenset({Role.COORDINATOR, Role.EVALUATOR})
"""Roles that see every case of their mechanism."""
WORDS: Mapping[str, str] = {
    "agency": "pnp-ucayali",
    "account": "account-1",
    "region": "PE-UCA",
    "text_version": "es-1",
    "legal_basis": "art. 12",
    "digest": "ab" * 32,
    "measure": "patrol_home",
    "implementer": "pnp-ucayali",
    "first_person": "person-1",
    "second_person": "person-2",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One route with the ids of things, and with ids that nobody has, in its path, its query or its body."""

    method: str
    template: str
    present: tuple[str, Any]
    """Path with query, body."""
    absent: tuple[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Two answers that should have been one."""

    role: str
    call: str
    present: object
    absent: object


def calls(app: FastAPI, ids: Mapping[str, str], *, public: frozenset[str] = frozenset()) -> Iterator[Call]:
    """Each operation of the document with an id in its path. ``ids``: parameter → the id of a thing that exists;
    ``public``: parameters that name what everybody may know.

    Fails for a parameter that neither names: a new one is swept, or said to be public.
    """
    document = app.openapi()
    nobodys = {parameter: str(uuid.uuid4()) for parameter in ids}
    for template, operations in document["paths"].items():
        named = re.findall(r"{([^}]+)}", template)
        unknown = set(named) - set(ids) - public
        assert not unknown, f"{template}: {unknown} is neither swept nor public"
        for method, operation in operations.items():
            given = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"} & set(ids)
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            members = set(_resolved(schema, document).get("properties", {})) & set(ids) if schema else set()
            if not (set(named) & set(ids) or given or members):
                continue

            def asked(
                values: Mapping[str, str],
                *,
                template: str = template,
                named: list[str] = named,
                schema: Any = schema,
                given: set[str] = given,
                members: set[str] = members,
            ) -> tuple[str, Any]:
                path = template
                for parameter in named:
                    path = path.replace(f"{{{parameter}}}", values.get(parameter, WORDS.get(parameter, "drill")))
                query = "&".join(f"{name}={values[name]}" for name in sorted(given))
                body = None if schema is None else _made(schema, document)
                if members:
                    body |= {name: values[name] for name in members}
                return f"{path}?{query}" if query else path, body

            yield Call(method=method.upper(), template=template, present=asked(ids), absent=asked(nobodys))


async def differences(client: httpx.AsyncClient, call: Call, *, role: str) -> list[Difference]:
    """Where a client's answers for the thing and for no thing differ, in anything but what is random in every answer.

    Fails where the body that was made is not of the documented form: the answers would be the same for that reason.
    """
    answers = [await _asked(client, call, *asked) for asked in (call.present, call.absent)]
    present, absent = ((answer.status_code, _body(answer), _headers(answer)) for answer in answers)
    assert answers[1].status_code != 422, f"{call.method} {call.template}: {answers[1].text}"
    what = f"{call.method} {call.template}"
    return [] if present == absent else [Difference(role=role, call=what, present=present, absent=absent)]


async def _asked(client: httpx.AsyncClient, call: Call, path: str, body: Any) -> httpx.Response:
    headers = {} if call.method == "GET" else {"Idempotency-Key": uuid.uuid4().hex}
    return await client.request(call.method, path, json=body, headers=headers)


def _body(answer: httpx.Response) -> object:
    return {name: value for name, value in answer.json().items() if name != "instance"}


def _headers(answer: httpx.Response) -> object:
    return sorted((name, value) for name, value in answer.headers.items() if name not in RANDOM)


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    found: Mapping[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
    return found


def _made(schema: Mapping[str, Any], document: Mapping[str, Any], name: str = "") -> Any:
    """The smallest body of the documented form."""
    schema = _resolved(schema, document)
    for inner in ("anyOf", "oneOf", "allOf"):
        if inner in schema:
            return _made(schema[inner][0], document, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if name in WORDS:
        return WORDS[name]
    match schema.get("type"):
        case "object":
            needed = schema.get("required", [])
            return {member: _made(schema["properties"][member], document, member) for member in needed}
        case "array":
            return [_made(schema["items"], document, name)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return True
    return schema.get("default") or "said by nobody"
