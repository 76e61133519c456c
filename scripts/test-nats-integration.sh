#!/usr/bin/env bash
# Everything that needs NATS, on real servers that are started for it: the same as `make integration-test QUEUE=nats`.
set -euo pipefail
cd "$(dirname "$0")/.."
exec make integration-test QUEUE=nats ARGS="$*"
