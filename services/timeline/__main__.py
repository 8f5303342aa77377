"""``python -m services.timeline`` serves, ``… migrate`` migrates, ``… rebuild`` makes the projections anew, ``…
retake`` has every record taken again (as the database's owner).
"""

import asyncio
import sys

from runtime import database, gaps, logs
from runtime.secrets import origin
from runtime.service import main
from runtime.settings import SettingMissing, Settings
from services.timeline import anew
from services.timeline.app import NAME, SOURCES, create_service
from services.timeline.rebuild import RecordAltered, RecordMissing, Replaying, rebuild


async def rebuild_now(settings: Settings) -> int:
    """Rebuilds the projections of this process's database; returns how many records were replayed."""
    services = {settings.source(name): settings.topic(name) for name in SOURCES}
    fetch = gaps.fetcher(settings)
    replay = Replaying(kafka=settings.need("kafka"), topic=services.__getitem__, fetch=fetch, origin=origin(settings))
    engine = database.engine(settings.need("database"), name=NAME)
    try:
        return await rebuild(engine, replay=replay)
    finally:
        await engine.dispose()


async def retake_all(settings: Settings) -> int:
    """Empties this process's database; returns how many records it held."""
    owner = database.engine(settings.need("owner_database"), name=NAME)
    try:
        return await anew.empty(owner)
    finally:
        await owner.dispose()


if __name__ == "__main__":
    if sys.argv[1:2] == ["retake"]:  # from whichever record on: the log has no part that could be taken out
        try:
            print(f"{asyncio.run(retake_all(Settings()))} records had been taken, and are taken again")
        except SettingMissing as missing:
            sys.exit(f"{NAME}: {missing}")
    elif sys.argv[1:] == ["rebuild"]:
        logs.start(NAME)
        try:
            print(f"{asyncio.run(rebuild_now(Settings()))} records replayed")
        except (SettingMissing, RecordAltered, RecordMissing) as refused:
            sys.exit(f"{NAME}: {refused}")
    else:
        main(build=create_service, package="services.timeline")
