"""Owns what a request needs to be taken from one of the stack's own clients, for trying out the APIs by hand."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from access.token_source import TokenSource
from local import programs
from local.faults import StackFault
from local.stackfile import Stack
from runtime.clock import system_clock

TIMEOUT_S = 10.0


def headers(stack: Stack, client: str, *, method: str, url: str) -> Mapping[str, str]:
    """Token, and proof with a nonce of the service at ``url``. Raises `access.token_source.NoToken`, `StackFault`."""
    tokens = source(stack, client)
    token = tokens.token_sync()
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as http:
            # Sent without credentials: it is refused, whatever it asks for, and the refusal holds a nonce.
            refusal = http.request(method, url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StackFault(
            url, f"does not answer: {type(error).__name__}", advice="`make status` shows addresses"
        ) from error
    if not tokens.prover.learn(url, refusal.headers):
        raise StackFault(
            url,
            f"answered {refusal.status_code} and no nonce",
            advice="look up method and path in docs/reference/routes.md",
        )
    return tokens.prover.headers(method=method, url=url, token=token)


def source(stack: Stack, client: str) -> TokenSource:
    """The tokens of one of the stack's own clients. Raises `StackFault` where there is no such client."""
    key = Path(programs.client(stack, client)["AMPARO_CLIENT_KEY"])
    if not key.exists():
        known = ", ".join(sorted(file.stem for file in key.parent.glob("*.jwk")))
        raise StackFault(client, "there is no such client", advice=f"take one of {known}")
    return TokenSource.from_file(
        client_id=client,
        key_file=key,
        token_endpoint=stack.values["AMPARO_TOKEN_ENDPOINT"],
        audience=stack.values["AMPARO_ISSUER"],
        clock=system_clock,
    )
