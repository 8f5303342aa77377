"""`python -m services.vault` serves the vault's log, `… migrate` migrates its database."""

from runtime import database
from runtime.service import main
from runtime.settings import Settings
from services.vault.app import create_service


def migrate(settings: Settings) -> None:
    """The tables are those of the library that others reach the vault by."""
    database.migrate("access.vault", settings.need("owner_database"))


if __name__ == "__main__":
    main(build=create_service, package="services.vault", commands={"migrate": migrate})
