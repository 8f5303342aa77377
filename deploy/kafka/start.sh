#!/bin/sh
# Formats the node's storage at the first start, then runs it. /tmp is in memory.
set -eu
sed "s/@NODE@/${KAFKA_NODE:?}/g" /etc/kafka/amparo/server.properties >/tmp/server.properties
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted \
    --cluster-id "$(cat /run/secrets/kafka_cluster_id)" --config /tmp/server.properties
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
