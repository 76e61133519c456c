#!/usr/bin/env bash
# Two brokers at once, on real servers that are started for it: each queue type, relays, the walk between brokers.
set -euo pipefail
cd "$(dirname "$0")/.."
# A server that does not start is a failure here, not a reason to leave its tests out.
CI=true exec npm run --silent test -- packages/relay apps/platform/test/brokers tests/system/carrier-walk "$@"
