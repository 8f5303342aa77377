"""Owns how a client names its deed: the ``Idempotency-Key`` header, and the fingerprint that tells a repetition from a
reuse.

The fingerprint is an HMAC over method, path and the body's bytes as they came. It is keyed, so that the stored value
tells nobody what was filed, not even to somebody who can guess the body. The same JSON in other whitespace or order
counts as another body: a client that repeats a request sends the same bytes.

A key is the client's own text, and some clients will put a name into it. Only its SHA-256 is kept: unkeyed, so that a
repetition is known after every change of keys.
"""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Header, Request

from access.authentication import authenticated
from eventlog.store import ActKey

VISIBLE_ASCII = r"^[\x21-\x7e]+$"
MAX_KEY = 128


async def act_header(
    request: Request,
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=MAX_KEY,
            pattern=VISIBLE_ASCII,
            description="Names this act. Repeated with the same bytes it gives the first answer and changes nothing.",
        ),
    ],
) -> ActKey:
    """The act of this request. A missing or malformed key becomes the problem ``missing-idempotency-key`` or
    ``malformed-idempotency-key``."""
    actor = await authenticated(request)
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    key: bytes = request.app.state.fingerprint_key
    return ActKey(
        client=actor.id,
        key=hashlib.sha256(idempotency_key.encode()).hexdigest(),
        fingerprint=fingerprint(key, method=request.method, path=raw, body=await request.body()),
    )


ActHeader = Annotated[ActKey, Depends(act_header)]


def fingerprint(key: bytes, *, method: str, path: bytes, body: bytes) -> bytes:
    """HMAC-SHA-256, 32 bytes. Neither method nor path can hold a NUL, so the parts cannot run into each other."""
    return hmac.digest(key, b"\0".join((method.encode(), path, body)), "sha256")
