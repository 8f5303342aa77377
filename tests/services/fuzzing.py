"""schemathesis against one service's process as it listens: every operation of its OpenAPI document, with all of the
tool's checks, as two peers who must not see each other's things.

The tool's users show a name in place of a token; the server here gives each of them the token that belongs to it, with
a proof for this one request. It makes of each idempotency key a new one: the tool uses the same again, which is refused
before anything is tried.
"""

import contextlib
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from access.dpop import NONCE_HEADER
from runtime.service import Service
from tests.services.people import Issuer

SCHEME = "Peer "
USUAL = [200, 201, 204, 400, 401, 403, 404, 409, 412, 422, 429]
REFUSED = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429]
STARTED_S = 30
UNLIMITED = dict.fromkeys(("rate_client", "rate_urgent", "rate_stranger"), "1000000 per minute")
"""Settings under which the tool is not refused for its number of calls."""
LONGEST_S = 600
PHASES = "examples,coverage,fuzzing,stateful"
AMOUNTS = pytest.mark.parametrize(
    ("examples", "phases"), [(1, "fuzzing,stateful"), pytest.param(20, PHASES, marks=pytest.mark.slow)]
)
"""Little in the fast suite, much in the slow one."""


class Known:
    """Gives each user of the tool its token; whoever names nobody, or shows a token of its own, keeps what it has."""

    def __init__(self, app: FastAPI, url: str, issuer: Issuer, peers: Mapping[str, tuple[str, str]]) -> None:
        """``url`` is the address that the service takes proofs for."""
        self._app = app
        self._url = url
        self._issuer = issuer
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            scope = {**scope, "headers": [pair for header in scope["headers"] for pair in self._given(scope, *header)]}
        await self._app(scope, receive, send)

    def _given(self, scope: Scope, name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
        shown = value.decode("latin-1")
        if name == b"authorization" and (peer := shown.removeprefix(SCHEME)) in self._peers and peer != shown:
            role, unit = self._peers[peer]
            holder, url = self._issuer.holder(role=role, unit=unit), self._url + scope["raw_path"].decode("latin-1")
            holder.prover.learn(url, {NONCE_HEADER: self._app.state.proofs.nonces.new()})
            given = holder.prover.headers(method=scope["method"], url=url, token=holder.token)
            return [(each.lower().encode(), text.encode()) for each, text in given.items()]
        if name == b"idempotency-key" and 0 < len(value) < 90 and shown.isascii() and shown.isprintable():
            return [(name, value + secrets.token_hex(16).encode())]
        return [(name, value)]


@contextlib.contextmanager
def listening(service: Service, issuer: Issuer, peers: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The service's process on a port of its own, without its loops; its URL. ``peers``: name → role and unit."""
    (url,) = service.settings.reached_at(service.name)
    app = Known(service.app(), url, issuer, peers)
    config = uvicorn.Config(app, port=0, log_config=None, server_header=False, lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    deadline = time.monotonic() + STARTED_S
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STARTED_S)


def fuzz(
    url: str,
    folder: Path,
    *,
    peers: Mapping[str, tuple[str, str]],
    examples: int,
    phases: str = PHASES,
    without: str = "",
) -> str:
    """What the tool says. Fails with it where a check fails or the check of objects does not run."""
    users = [{"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"{SCHEME}{name}"}]} for name in peers]
    (folder / "users.json").write_text(json.dumps({"auth": users}))
    (folder / "schemathesis.toml").write_text(
        f'[auth.wfc]\npath = "{folder / "users.json"}"\nuser = "{next(iter(peers))}"\n'
        f"peers = {json.dumps(list(peers))}\n"
        '[parameters]\n"query.wait" = 0\n'
        f"[checks.positive_data_acceptance]\nexpected-statuses = {USUAL}\n"
        f"[checks.negative_data_rejection]\nexpected-statuses = {REFUSED}\n"
        f"[checks.missing_required_header]\nexpected-statuses = {REFUSED}\n"
    )
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml")),
        *("run", f"{url}/openapi.json", "--url", url, "--checks", "all", "--max-examples", str(examples)),
        *("--phases", phases),
        *(("--exclude-path", without) if without else ()),
        *("--seed", "1", "--generation-deterministic", "--no-color"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S, cwd=folder)
    said = done.stdout + done.stderr
    assert "object_level_authorization` will not run" not in said, said
    assert done.returncode == 0, said[-20_000:]
    return said
