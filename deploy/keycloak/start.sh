#!/bin/bash
# Keycloak reads passwords from its environment only; they come from the secrets, and no other process sees them.
set -euo pipefail
KC_DB_PASSWORD=$(</run/secrets/keycloak_database_password)
# Makes the first administrator, once; it is to be replaced by persons' own accounts, see docs/guides/operator.md.
KC_BOOTSTRAP_ADMIN_PASSWORD=$(</run/secrets/keycloak_admin_password)
export KC_DB_PASSWORD KC_BOOTSTRAP_ADMIN_PASSWORD
exec /opt/keycloak/bin/kc.sh start --optimized --import-realm
