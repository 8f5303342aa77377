#!/bin/sh
# Brings both of Temporal's databases to the schema of this version; repeated, it changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/temporal_database_password)
export SQL_PASSWORD
for store in temporal visibility; do
    case $store in
        temporal) database=temporal ;;
        visibility) database=temporal_visibility ;;
    esac
    set -- temporal-sql-tool --plugin postgres12_pgx --endpoint "${POSTGRES_HOST:-postgres}" --port "${POSTGRES_PORT:-5432}" \
        --user temporal --database "$database"
    "$@" setup-schema --version 0.0
    "$@" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$store/versioned"
done
