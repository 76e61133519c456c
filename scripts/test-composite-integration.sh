#!/usr/bin/env bash
# Two brokers at once, on real servers that are started for it: the same as `make integration-test QUEUE=composite`.
set -euo pipefail
cd "$(dirname "$0")/.."
exec make integration-test QUEUE=composite ARGS="$*"
