#!/usr/bin/env bash
# Everything that needs Kafka, on real brokers that are started for it: the driver, each queue type, the walk between brokers.
set -euo pipefail
cd "$(dirname "$0")/.."
# A server that does not start is a failure here, not a reason to leave its tests out.
CI=true exec npm run --silent test -- packages/transport-kafka apps/platform/test/brokers tests/system/carrier-walk "$@"
