"""``python -m services.timeline`` serves, ``… migrate`` migrates, ``… rebuild`` makes the projections anew."""

import asyncio
import sys

from runtime import database, gaps, logs
from runtime.service import main
from runtime.settings import SettingMissing, Settings
from services.timeline.app import NAME, create_service
from services.timeline.rebuild import RecordAltered, RecordMissing, Replaying, rebuild


async def rebuild_now(settings: Settings) -> int:
    """Rebuilds the projections of this process's database; returns how many records were replayed."""
    services = {settings.source(name): settings.topic(name) for name in ("intake", "protection", "referral")}
    replay = Replaying(kafka=settings.need("kafka"), topic=services.__getitem__, fetch=gaps.fetcher(settings))
    engine = database.engine(settings.need("database"), name=NAME)
    try:
        return await rebuild(engine, replay=replay)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    if sys.argv[1:] == ["rebuild"]:
        logs.start(NAME)
        try:
            print(f"{asyncio.run(rebuild_now(Settings()))} records replayed")
        except (SettingMissing, RecordAltered, RecordMissing) as refused:
            sys.exit(f"{NAME}: {refused}")
    else:
        main(build=create_service, package="services.timeline")
