#!/usr/bin/env bash
# What the router needs in Kafka, and no more: grants it with Apache Kafka's own tool.
#
# UNPROVEN: the development broker has no access control, so these commands have been read and not run.
#
#   deploy/kafka-acls.sh --bootstrap-server kafka:9092 [--command-config admin.properties]
#
# Names come from the router's own settings: KAFKA_RAW_TOPIC, KAFKA_DEAD_LETTER_TOPIC, KAFKA_GROUP_ID. The principals are
# KAFKA_RUN_PRINCIPAL (default User:router) and KAFKA_OPERATOR_PRINCIPAL (default User:router-operator). DRY_RUN=1 prints
# the commands. KAFKA_ACLS_TOOL names the tool where it is not kafka-acls.sh on the PATH.
set -euo pipefail

raw=${KAFKA_RAW_TOPIC:-shared_raw_events}
dead=${KAFKA_DEAD_LETTER_TOPIC:-shared_dead_letter}
group=${KAFKA_GROUP_ID:-router}
run=${KAFKA_RUN_PRINCIPAL:-User:router}
operator=${KAFKA_OPERATOR_PRINCIPAL:-User:router-operator}
tool=${KAFKA_ACLS_TOOL:-kafka-acls.sh}

if [ "$#" -eq 0 ]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 64
fi
connection=("$@")

grant() {
    local command=("$tool" "${connection[@]}" --add --force "$@")
    if [ "${DRY_RUN:-}" = 1 ]; then printf '%q ' "${command[@]}"; printf '\n'; else "${command[@]}"; fi
}

# `router run`: reads events, commits offsets with their metadata, writes dead letters exactly once.
grant --allow-principal "$run" --topic "$raw" --operation Read --operation Describe --operation DescribeConfigs
grant --allow-principal "$run" --topic "$dead" --operation Write --operation Describe --operation DescribeConfigs
grant --allow-principal "$run" --group "$group" --operation Read --operation Describe
grant --allow-principal "$run" --cluster --operation IdempotentWrite

# Operators: audit and replay read both topics, send writes sample events; nobody but the router writes dead letters, or
# a forged one could be replayed.
grant --allow-principal "$operator" --topic "$raw" --operation Read --operation Write --operation Describe \
    --operation DescribeConfigs
grant --allow-principal "$operator" --topic "$dead" --operation Read --operation Describe --operation DescribeConfigs
# doctor commits an offset in a group of its own beside the router's, and deletes that group again.
grant --allow-principal "$operator" --group "$group" --resource-pattern-type prefixed --operation Read \
    --operation Describe --operation Delete
grant --allow-principal "$operator" --cluster --operation IdempotentWrite
