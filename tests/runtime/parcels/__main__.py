"""``python -m tests.runtime.parcels`` serves, ``… migrate`` migrates."""

from runtime.service import main
from tests.runtime.parcels.app import create_service

if __name__ == "__main__":
    main(build=create_service, package="tests.runtime.parcels")
