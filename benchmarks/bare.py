"""Owns the endpoint that a filing is measured against: FastAPI in the same kind of process, the same driver, the same
token check, and one INSERT in an explicit transaction. `python -m benchmarks.bare` serves it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

from fastapi import FastAPI
from sqlalchemy import text

from access.authorization import may
from eventlog.store import Actor
from runtime import database, identity, service
from runtime.clock import system_clock
from runtime.settings import Settings

TABLE = "CREATE TABLE bare (id bigserial PRIMARY KEY, body text NOT NULL)"
GRANTS = (
    'GRANT SELECT, INSERT ON bare TO "{role}"',
    'GRANT USAGE ON SEQUENCE bare_id_seq TO "{role}"',
)
_INSERT = text("INSERT INTO bare (body) VALUES (:body) RETURNING id")


class Bare:
    """As much of `runtime.service.Service` as `runtime.service.run` asks for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def app(self) -> FastAPI:
        """The application: one route, and the one that says it is there."""
        settings = self.settings
        engine = database.engine(settings.need("database"), name="bare")

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield
            await engine.dispose()

        app = FastAPI(lifespan=lifespan)
        app.state.verifier = identity.verifier(settings, system_clock)
        app.state.proofs = identity.proofs(settings, "bare", system_clock)

        @app.post("/v1/requests", status_code=201)
        async def file(body: dict[str, Any], actor: Annotated[Actor, may("request.file")]) -> dict[str, int]:
            async with engine.begin() as session:
                row = (await session.execute(_INSERT, {"body": json.dumps(body)})).one()
            return {"id": row.id}

        @app.get("/healthz")
        async def healthy() -> dict[str, str]:
            return {"status": "ready"}

        return app


if __name__ == "__main__":
    service.run(cast("service.Service", Bare(Settings())))
