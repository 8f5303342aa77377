"""What `up` says last: where everything is, how to file a request, how to stop."""

from collections.abc import Mapping
from uuid import uuid4

PAGES = (
    ("requests and incidents", "AMPARO_URL_INTAKE"),
    ("risk and measures", "AMPARO_URL_PROTECTION"),
    ("agencies and referrals", "AMPARO_URL_REFERRAL"),
    ("timelines, response times", "AMPARO_URL_TIMELINE"),
)


def closing_lines(env: Mapping[str, str]) -> list[str]:
    """The lines, from the values of ``stack.env``."""
    lines = ["API documentation"]
    lines += [f"  {title:<26} {env[variable]}/docs" for title, variable in PAGES]
    if "AMPARO_TEMPORAL_UI" in env:
        lines += ["Workflows (Temporal's own pages)", f"  {'':<26} {env['AMPARO_TEMPORAL_UI']}"]
    return [
        *lines,
        f"Logs in {env['AMPARO_HOME']}/logs, or `make logs`; settings in {env['AMPARO_HOME']}/stack.env",
        "File a request:",
        *(f"  {line}" for line in curl(env)),
        "`make demo` runs the drill again, `make status` says how each program is, `make down` stops everything.",
    ]


def curl(env: Mapping[str, str]) -> list[str]:
    """A request for protection, as an organisation's system would file it, in lines for a shell."""
    return [
        f"URL={env['AMPARO_URL_INTAKE']}/v1/requests",
        ".venv/bin/python -m local headers ngo POST $URL | curl -sS $URL -H @- \\",
        f'  -H "Idempotency-Key: {uuid4()}" -H "Content-Type: application/json" \\',
        "  -d @local/request.json",
    ]
