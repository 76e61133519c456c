#!/usr/bin/env bash
# Everything that needs Kafka, on real servers that are started for it: the same as `make integration-test QUEUE=kafka`.
set -euo pipefail
cd "$(dirname "$0")/.."
exec make integration-test QUEUE=kafka ARGS="$*"
