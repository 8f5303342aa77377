"""One process: HTTP, the store's sequencer and relay, consumers, activities and workflows, joined and watched.

HTTP is served from the first moment: neither Kafka nor Temporal is waited for, and each comes back when it comes
back. ``GET /healthz`` answers 200 once the database answers and every loop is up, else 503; ``GET /livez`` only says
that the process answers.
"""

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

import access.middleware
import access.problems
from access.crowds import Crowds, Limits, Route, admit
from access.tokens import Verifier
from eventlog.store import EventStore, Ring
from runtime import apidocs, database, identity, logs, parked, records, retaking, telemetry
from runtime.clock import Clock, system_clock
from runtime.observed import Observed
from runtime.secrets import fingerprint_key, origin
from runtime.settings import SettingMissing, Settings
from runtime.supervision import Loop, Supervision

if TYPE_CHECKING:
    from eventlog.sequencer import Sequencer

DATABASE_CHECK_S = 2.0
DRAIN_REQUESTS_S = 2
"""How long open requests may take to end after SIGTERM; the loops have the rest of the five seconds."""
DRAIN_LOOPS_S = 2.5
STARTUP_FAILURE = 3
FLOW_EVERY_S = 5.0

_log = structlog.get_logger("runtime.service")


class Consuming(Protocol):
    """`eventlog.consumer.Consumer`, as far as a service uses it."""

    name: str

    @property
    def positions(self) -> Mapping[str, int]: ...

    async def run(self) -> None: ...


class Service:
    """The parts of one process, and the application made of them.

    ``parts`` is the service's own object: routes find it as ``request.app.state.parts``, and ``consumers``,
    ``activities`` and ``loops`` are called with it when the process starts. ``engine`` is by default ``parts.engine``
    if it has one, else one on AMPARO_DATABASE; it is closed in the end. ``parts.drain``, if there is one, is called
    when the process is told to end: requests that wait for news then answer without. ``workflows`` are served by the
    same worker as ``activities``, on ``task_queue``. ``loops`` gives further background tasks by name, supervised as
    the others are; ``looping`` makes the consumers that those loops run, for the command ``dead-letters``. Routes find
    also ``engine``, ``ring``, ``clock``, ``settings``, ``source``, ``verifier``, ``proofs`` and ``fingerprint_key`` in
    ``request.app.state``. ``urgent`` are the routes that a flood of other calls must not keep out.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        name: str,
        parts: Any = None,
        routers: Sequence[APIRouter] = (),
        store: EventStore | None = None,
        consumers: Callable[[Any], Sequence[Consuming]] | None = None,
        activities: Callable[[Any], Sequence[Callable[..., Any]]] | None = None,
        workflows: Sequence[type] = (),
        task_queue: str = "",
        loops: Callable[[Any], Sequence[tuple[str, Callable[[], Awaitable[None]]]]] | None = None,
        looping: Callable[[Any], Awaitable[Sequence[Consuming]]] | None = None,
        engine: AsyncEngine | None = None,
        verifier: Verifier | None = None,
        clock: Clock = system_clock,
        urgent: Collection[Route] = (),
        title: str = "",
        summary: str = "",
    ) -> None:
        if (activities or workflows) and not task_queue:
            raise ValueError("activities and workflows need a task_queue")
        self.settings = settings
        self.name = name
        self.source = settings.source(name)
        self.topic = settings.topic(name)
        self.parts = parts
        self.clock = clock
        self.engine = engine or getattr(parts, "engine", None) or database.engine(settings.database, name=name)
        self.verifier = verifier or identity.verifier(settings, clock)
        self.long_lived = False
        self._routers = routers
        self._store = store
        self._consumers = consumers
        self._activities = activities
        self._workflows = workflows
        self._task_queue = task_queue
        self._loops = loops
        self._looping = looping
        self._urgent = urgent
        self._title = title or f"Amparo: {name}"
        self._summary = summary
        self._supervision = Supervision(())
        self._sequencer: Sequencer | None = None
        self._ring = Ring(self.engine)
        self._running_consumers: Sequence[Consuming] = ()

    def app(self) -> FastAPI:
        """The ASGI application; its lifespan starts and ends the loops."""
        app = FastAPI(
            title=self._title,
            summary=self._summary or None,
            version=_version(),
            lifespan=self._lifespan,
            docs_url=None,  # its page loads scripts from elsewhere; ours does not
            redoc_url=None,
            openapi_url="/openapi.json",
        )
        counted = [Depends(admit)]
        for router in self._routers:
            app.include_router(router, dependencies=counted)
        if self._store is not None:
            app.include_router(records.router, dependencies=counted)
        apidocs.install(app)
        app.include_router(self._probes())
        access.problems.install(app)
        crowds = Crowds(limits=_limits(self.settings), urgent=self._urgent)
        access.middleware.install(app, crowds=crowds)
        app.add_middleware(Observed)  # added last, so outermost
        state = app.state
        state.parts, state.engine, state.settings = self.parts, self.engine, self.settings
        state.source, state.clock, state.verifier = self.source, self.clock, self.verifier
        state.crowds = crowds
        if self._routers or self._store:  # else nobody asks
            state.proofs = identity.proofs(self.settings, self.name, self.verifier.clock)
        state.fingerprint_key = fingerprint_key(self.settings.receipt_key)
        state.ring, state.vault = self._ring, getattr(self.parts, "vault", None)
        return app

    @property
    def consumes(self) -> bool:
        """Whether it takes records of other services."""
        return self._consumers is not None or self._looping is not None

    async def consumers(self) -> Sequence[Consuming]:
        """Its consumers, made anew and not running; none for a service that takes no records."""
        own = tuple(self._consumers(self.parts)) if self._consumers else ()
        return (*own, *(await self._looping(self.parts) if self._looping else ()))

    async def close(self) -> None:
        """Ends its connections."""
        if (close := getattr(self.parts, "close", None)) is not None:
            await close()
        await self.engine.dispose()

    async def health(self) -> tuple[bool, Mapping[str, bool]]:
        """Whether the process is ready, and each check by name."""
        checks = {"database": await self._database_answers(), **self._supervision.health()}
        return all(checks.values()), checks

    def drain(self) -> None:
        """Lets requests that wait for news answer now."""
        if (drain := getattr(self.parts, "drain", None)) is not None:
            drain()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        self._supervision = Supervision(tuple(self._all_loops()))
        self._supervision.start()
        measuring = asyncio.create_task(self._measure_flow()) if telemetry.recording() else None
        if self.long_lived:
            _set_aside_what_stays()
        _log.info("started", port=self.settings.port)
        try:
            yield
        finally:
            if measuring is not None:
                measuring.cancel()
            await self._supervision.stop(seconds=DRAIN_LOOPS_S)
            await self._ring.close()
            await self.close()
            telemetry.stop()
            _log.info("stopped")

    def _all_loops(self) -> Sequence[Loop]:
        found: list[Loop] = []
        if self._store is not None:
            found.append(self._sequencer_loop())
        self._running_consumers = tuple(self._consumers(self.parts)) if self._consumers else ()
        for consumer in self._running_consumers:
            found.append(Loop(name=f"consumer.{consumer.name}", run=consumer.run, up=_up_of(consumer)))
        if self._activities or self._workflows:
            found.append(self._worker_loop())
        for name, run in self._loops(self.parts) if self._loops else ():
            found.append(Loop(name=name, run=run))
        return found

    def _sequencer_loop(self) -> Loop:
        from eventlog.kafka import Replication
        from eventlog.sequencer import Sequencer

        self._sequencer = Sequencer(
            source=self.source,
            topic=self.topic,
            kafka=self.settings.need("kafka"),
            database=self.settings.need("sequencer_database"),
            origin=origin(self.settings),
            tracing=telemetry.messaging,
            replication=Replication.of(self.settings.replication),
        )
        return Loop(name="sequencer", run=self._sequencer.run, up=_up_of(self._sequencer))

    def _worker_loop(self) -> Loop:
        from runtime.temporal import Serving

        serving = Serving(
            self.settings,
            task_queue=self._task_queue,
            activities=self._activities(self.parts) if self._activities else (),
            workflows=self._workflows,
        )
        return Loop(name="worker", run=serving.run, up=serving.up)

    def _probes(self) -> APIRouter:
        probes = APIRouter(include_in_schema=False)

        @probes.get("/livez")
        async def live() -> JSONResponse:
            return JSONResponse({"status": "alive"})

        @probes.get("/healthz")
        async def ready() -> JSONResponse:
            is_ready, checks = await self.health()
            body = {"status": "ready" if is_ready else "unready", "checks": checks}
            return JSONResponse(body, status_code=200 if is_ready else 503)

        return probes

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(DATABASE_CHECK_S), self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError):
            return False
        return True

    async def _measure_flow(self) -> None:
        """How far Kafka and the consumers are; only where somebody listens.."""
        while True:
            await asyncio.sleep(FLOW_EVERY_S)
            relay = self._sequencer.relay if self._sequencer else None
            if relay is not None and relay.published is not None and self._sequencer is not None:
                telemetry.measure("amparo.relay.lag", self._sequencer.behind or 0, source=self.source)
                telemetry.measure("amparo.source.published", relay.published + 1, source=self.source)
            for consumer in self._running_consumers:
                for source, index in consumer.positions.items():
                    telemetry.measure("amparo.consumer.taken", index + 1, consumer=consumer.name, source=source)


def run(service: Service) -> None:
    """Serve until SIGTERM or SIGINT; then open requests and loops have five seconds to end."""
    import uvicorn

    from runtime.listening import CarefulProtocol

    service.long_lived = True
    config = uvicorn.Config(
        service.app(),
        host=service.settings.host,
        port=service.settings.port,
        loop="uvloop",
        http=CarefulProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(service.settings.proxies),
        forwarded_allow_ips=service.settings.proxies or None,
        timeout_graceful_shutdown=DRAIN_REQUESTS_S,
    )

    class Server(uvicorn.Server):
        """Requests that wait for news would outlive the time that open ones have to end, and be cut off."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            service.drain()
            await super().shutdown(sockets)

    server = Server(config)
    with suppress(KeyboardInterrupt):  # raised again by uvicorn once all has ended
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def main(
    *,
    build: Callable[[Settings], Service],
    package: str,
    commands: Mapping[str, Callable[[Settings], object]] | None = None,
) -> None:
    """The command line of a process: ``python -m <package>`` serves, ``… migrate`` migrates its database, ``…
    surplus`` shows what its topic has and its store has not, ``… dead-letters`` shows what its consumers could not take
    and has it taken again (`runtime.parked`), ``… retake`` takes a record as its source has it (`runtime.retaking`).

    ``commands`` are further ones of its own, such as ``rebuild``. Ends with status 2 and one line on stderr when a
    setting is missing or wrong.
    """
    name = package.rpartition(".")[2]
    known: Mapping[str, Callable[[Settings], object]] = {
        "": lambda settings: _serve(build, name, settings),
        "migrate": lambda settings: _migrate(package, settings),
        "surplus": lambda settings: _surplus(name, settings),
        **(commands or {}),
    }
    command = known.get(" ".join(sys.argv[1:]))
    if sys.argv[1:2] == ["dead-letters"]:
        command = lambda settings: _dead_letters(build, name, settings, sys.argv[2:])  # noqa: E731
    if sys.argv[1:2] == ["retake"]:
        command = lambda settings: _retake(build, name, settings, sys.argv[2:])  # noqa: E731
    if command is None:
        usages = [*filter(None, known), parked.USAGE, retaking.USAGE]
        sys.exit(_complain(name, f"usage: python -m {package} [{' | '.join(usages)}]"))
    logs.start(name)
    try:
        settings = Settings()
    except ValidationError as wrong:
        # Only names and reasons: the values themselves may be passwords.
        sys.exit(_complain(name, "; ".join(_setting(error["loc"]) + error["msg"] for error in wrong.errors())))
    try:
        command(settings)
    except SettingMissing as missing:
        sys.exit(_complain(name, str(missing)))


def _serve(build: Callable[[Settings], Service], name: str, settings: Settings) -> None:
    telemetry.start(name, endpoint=settings.otlp_endpoint)
    run(build(settings))


def _dead_letters(build: Callable[[Settings], Service], name: str, settings: Settings, words: Sequence[str]) -> None:
    service = build(settings)
    if not service.consumes:
        sys.exit(_complain(name, "takes no records of other services"))
    try:
        sys.exit(parked.run(service, words))
    except ValueError as wrong:
        sys.exit(_complain(name, str(wrong)))


def _retake(build: Callable[[Settings], Service], name: str, settings: Settings, words: Sequence[str]) -> None:
    service = build(settings)
    if not service.consumes:
        sys.exit(_complain(name, "takes no records of other services"))
    try:
        retaking.run(service, words)
    except ValueError as wrong:
        sys.exit(_complain(name, str(wrong)))


def _migrate(package: str, settings: Settings) -> None:
    applied = database.migrate(package, settings.need("owner_database"))
    _log.info("migrated", package=package, count=len(applied), revision=applied[-1] if applied else None)


def _surplus(name: str, settings: Settings) -> None:
    from runtime.surplus import print_surplus

    print_surplus(settings, name)


def _set_aside_what_stays() -> None:
    """Modules, routes and models live as long as the process: without them a full collection takes no time, with them
    it stops every request for 0.1 s.
    """
    gc.collect()
    gc.freeze()


def _setting(place: tuple[int | str, ...]) -> str:
    return f"AMPARO_{'_'.join(map(str, place)).upper()}: " if place else ""


def _complain(name: str, what: str) -> int:
    print(f"{name}: {what}", file=sys.stderr)
    return 2


def _limits(settings: Settings) -> Limits:
    return Limits(client=settings.rate_client, urgent=settings.rate_urgent, stranger=settings.rate_stranger)


def _up_of(loop: object) -> Callable[[], bool] | None:
    """What a sequencer or consumer says of itself, if it says anything."""
    return (lambda: bool(loop.is_up)) if hasattr(loop, "is_up") else None


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("amparo")
    except PackageNotFoundError:
        return "0"


__all__ = ["Consuming", "Service", "main", "run"]
