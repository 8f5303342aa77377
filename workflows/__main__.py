"""`python -m workflows` conducts; `python -m workflows migrate` brings the bridge's database up to date."""

from runtime.service import main
from workflows.app import create_service

if __name__ == "__main__":
    main(build=create_service, package="workflows")
