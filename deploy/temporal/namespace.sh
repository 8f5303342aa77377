#!/bin/sh
# Makes the namespace of Amparo's workflows unless it is there. Cases live for years in running workflows; what ended is
# kept long enough to be looked at.
set -eu
namespace=${AMPARO_TEMPORAL_NAMESPACE:?}
if ! temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1; then
    temporal operator namespace create --namespace "$namespace" --retention 720h
fi
# The server takes some seconds to know a new namespace; whoever waits for this job may use it at once.
until temporal workflow list --namespace "$namespace" --limit 1 >/dev/null 2>&1; do
    sleep 1
done
