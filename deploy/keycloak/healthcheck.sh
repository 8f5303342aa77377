#!/bin/bash
# Whether Keycloak says of itself that it is ready. Its image has no HTTP client, but bash has sockets.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${KC_HTTP_MANAGEMENT_PORT:-9000}"
printf 'GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 4 status <&3
[[ $status == *" 200 "* ]]
