"""`python -m deploy.healthcheck`: whether the process in this container is ready, by `/healthz` of `runtime.service`.

Standard library only: it runs every few seconds.
"""

import http.client
import os
import sys

SECONDS = 5.0


def main() -> int:
    """0 when ready, 1 when not; then the checks are printed, which `docker inspect` shows."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["AMPARO_PORT"]), timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        print(type(error).__name__)
        return 1
    finally:
        connection.close()
    print(body)
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
