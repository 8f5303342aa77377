#!/bin/bash
# Whether the broker answers a metadata request with at least one broker. Kafka's own tools would start a Java runtime
# each time. Source: Kafka protocol guide, Metadata v1: size, key 3, version 1, correlation 1, no client id, no topics.
set -eu
exec 3<>"/dev/tcp/127.0.0.1/${KAFKA_PORT:-9092}"
printf '\0\0\0\16\0\3\0\1\0\0\0\1\377\377\0\0\0\0' >&3
answer=$(timeout 3 head -c 12 <&3 | od -An -v -tx1 | tr -d ' \n')  # size, correlation, number of brokers
[ "${#answer}" -eq 24 ] && [ "$((16#${answer:16:8}))" -ge 1 ]
