"""Owns the load: a lean HTTP/1.1 client in a process of its own, the same for every form that is measured.

`python -m benchmarks.load` reads a plan in each line of its input and answers with a line each. A general client
library costs as much as a small request itself, and what both forms pay alike hides the difference between them.
"""

import asyncio
import gc
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey

from access.dpop import NONCE_HEADER, Prover
from benchmarks.helper import Helper, serve

PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Requests to one server over ``clients`` connections: each client's next one follows its answer, or, with a
    ``rate`` per second, they begin on a beat whoever is free. ``requests`` are (path, body as JSON text, times).
    ``key`` is the private JWK that the token is bound to; proofs are made before the time begins to run, so a plan
    lasts less than the minute that they are good for.
    """

    port: int
    token: str
    key: Mapping[str, Any]
    requests: Sequence[tuple[str, str, int]]
    clients: int = 1
    rate: float = 0.0
    keep: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Milliseconds of each request until its answer's last byte, the whole in seconds, and, with ``keep``, answers."""

    latencies_ms: Sequence[float]
    seconds: float
    answers: Sequence[Any]


class Load:
    """The client's process. Use as an async context."""

    def __init__(self) -> None:
        self._helper = Helper("benchmarks.load")

    async def __aenter__(self) -> "Load":
        await self._helper.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._helper.__aexit__(*failure)

    async def run(self, plan: Plan) -> Outcome:
        """Carries out a plan. Raises ``RuntimeError`` for an answer that is no success."""
        return Outcome(**await self._helper.ask(asdict(plan)))


class _Connection(asyncio.Protocol):
    """One kept connection: a request at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._read = bytearray()
        self._need = -1
        self.head = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._need < 0:
            end = self._read.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head = bytes(self._read[:end])
            head = self.head.lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._need = end + 4 + length
            self._body = end + 4
        if len(self._read) >= self._need:
            assert self._answer is not None
            self._answer.set_result((int(self._read[9:12]), bytes(self._read[self._body : self._need])))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """(status, body)."""
        self._read.clear()
        self._need = -1
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


async def _prover(plan: Plan, connection: _Connection) -> Prover:
    """Proofs with the nonce that the server gives to who comes without."""
    path = plan.requests[0][0]
    await connection.send(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode())
    lines = connection.head.decode("latin-1").split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    prover = Prover(clock=lambda: datetime.now(UTC), key=ECKey.import_key(dict(plan.key)))
    prover.learn(_url(plan, path), {NONCE_HEADER: headers[NONCE_HEADER.lower()]})
    return prover


def _url(plan: Plan, path: str) -> str:
    return f"http://127.0.0.1:{plan.port}{path}"


def _requests(plan: Plan, prover: Prover) -> list[bytes]:
    built = []
    for path, body, times in plan.requests:
        content = body.encode()
        for _ in range(times):
            proven = prover.headers(method="POST", url=_url(plan, path), token=plan.token)
            lines = (
                f"POST {path} HTTP/1.1",
                "Host: 127.0.0.1",
                *(f"{name}: {value}" for name, value in proven.items()),
                f"Idempotency-Key: {uuid.uuid4()}",
                "Content-Type: application/json",
                f"Content-Length: {len(content)}",
            )
            built.append("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    return built


async def _carry_out(plan: Plan) -> Outcome:
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(_Connection, "127.0.0.1", plan.port))[1] for _ in range(plan.clients)]
    waiting = list(enumerate(_requests(plan, await _prover(plan, connections[0]))))
    waiting.reverse()
    latencies = [0.0] * len(waiting)
    answers: list[Any] = [None] * len(waiting)
    began = time.perf_counter()

    async def client(connection: _Connection) -> None:
        while waiting:
            number, request = waiting.pop()
            start = time.perf_counter()
            if plan.rate:
                due = began + number / plan.rate
                if due > start:
                    await asyncio.sleep(due - start)
                start = time.perf_counter()
            status, body = await connection.send(request)
            latencies[number] = (time.perf_counter() - start) * 1000
            if not 200 <= status < 300:
                raise RuntimeError(f"{status} {body.decode(errors='replace')[:500]}")
            if plan.keep:
                answers[number] = json.loads(body)

    gc.disable()
    try:
        async with asyncio.timeout(PATIENCE_S + (len(waiting) / plan.rate if plan.rate else 0)):
            await asyncio.gather(*(client(connection) for connection in connections))
    finally:
        gc.enable()
        for connection in connections:
            connection.close()
    seconds = time.perf_counter() - began
    return Outcome(latencies_ms=latencies, seconds=seconds, answers=answers if plan.keep else [])


def main() -> None:
    """Serves plans until the input ends."""
    import uvloop

    serve(lambda question: asdict(uvloop.run(_carry_out(Plan(**question)))))


if __name__ == "__main__":
    main()
