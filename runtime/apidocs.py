"""The page that shows a service's API: Swagger UI from an installed package, nothing loaded from elsewhere.

The page may run and load only what this service serves; it sends nothing but the requests that its reader makes. Each
route is headed by the first sentence of its description.
"""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.routing import iter_route_contexts

from access.authorization import action_of
from access.policy import telling
from access.problems import Problem
from runtime.answers import classes_of

PACKAGE = "fastapi_offline"
"""Only its static files are used."""
FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
A_DAY = {"Cache-Control": "public, max-age=86400"}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript>This page needs scripts; the description itself is <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  queryConfigEnabled: false,
  persistAuthorization: false,
});
"""

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Adds the page, and puts sentences in place of the summaries that are made of functions' names."""
    app.include_router(router)
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path in describe()["paths"].values():
                for operation in path.values():
                    if said := operation.get("description"):
                        operation["summary"] = first_sentence(said).rstrip(".")
            _promise_only_what_everybody_is_told(app, describe())
        return describe()

    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI documents


def _promise_only_what_everybody_is_told(app: FastAPI, described: dict[str, Any]) -> None:
    """A field that some of a route's users are not told is not a required one of its answer."""
    schemas = described.get("components", {}).get("schemas", {})
    for context in iter_route_contexts(app.routes):
        action = action_of(getattr(context, "dependant", None))
        for method in sorted(context.methods or ()) if action else ():
            kept = telling.kept_from_some(str(action))
            answers = described["paths"][context.path][method.lower()]["responses"]
            for name in _named_in({status: said for status, said in answers.items() if status < "300"}, schemas):
                fields, needed = schemas[name].get("properties", {}), schemas[name].get("required", [])
                schemas[name]["required"] = [each for each in needed if not classes_of(fields[each]) & kept]


def _named_in(part: object, schemas: Mapping[str, Any]) -> set[str]:
    """The schemas that a part of a description refers to, and those that they refer to."""
    found: set[str] = set()
    waiting: list[Any] = [part]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)} as inner:
                name = reference.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    waiting.append(schemas[name])
                waiting.extend(value for key, value in inner.items() if key != "$ref")
            case dict() as inner:
                waiting.extend(inner.values())
            case list() as inner:
                waiting.extend(inner)
    return found


def first_sentence(text: str) -> str:
    """The first sentence of a description, on one line."""
    return re.split(r"(?<=[.!?])\s", " ".join(text.replace("``", "`").split()), maxsplit=1)[0]


@router.get("/docs")
async def page(request: Request) -> HTMLResponse:
    """The page."""
    title = escape(str(request.app.title))
    return HTMLResponse(PAGE.format(title=title), headers={"Content-Security-Policy": POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """The page's own script."""
    return Response(START, media_type="text/javascript", headers=A_DAY)


@router.get("/docs/{name}")
async def file(name: str) -> FileResponse:
    """One of Swagger UI's files. Raises `Problem` ``not-found`` for any other."""
    folder = _folder()
    if name not in FILES or folder is None:
        raise Problem("not-found")
    return FileResponse(folder / name, media_type=FILES[name], headers=A_DAY)


@cache
def _folder() -> Path | None:
    spec = find_spec(PACKAGE)  # found, not imported
    return Path(spec.origin).parent / "static" if spec and spec.origin else None
