# Every target is a thin call of an npm script or of `headrace`; `make help` lists them.
.DEFAULT_GOAL := help
# Kafka, NATS and Redis for the services-* targets: one of them, or several in quotes.
SERVICES ?= kafka nats redis

.PHONY: help switch-queue run-local dev services-up services-down services-status services-env services-restart services-kill test integration-test test-all test-coverage build proto docs errors-doc lint fmt typecheck bench load-test produce-orders demo-shop clean

MAKEFLAGS += --no-print-directory

N ?= 1000
C ?= 10
URL ?= http://127.0.0.1:8080
COUNT ?= 1000
RATE ?= 200
INVALID ?= 5%

# Node 24 comes from node_modules and is put first in PATH by npm itself; here only for plain commands.
run := PATH="$(CURDIR)/node_modules/.bin:$$PATH"

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run-local: node_modules/.package-lock.json ## Start everything on this machine; nothing else needs to be installed
	@$(run) node -- apps/platform/bin/headrace.mjs run $(ARGS)

switch-queue: node_modules/.package-lock.json ## Write QUEUE_TYPE=$(QUEUE) into .env and say what is left to drain: QUEUE=postgres|memory|nats|kafka|composite
	@$(run) node -- apps/platform/bin/headrace.mjs queues switch $(or $(QUEUE),$(error QUEUE is missing: make switch-queue QUEUE=kafka))

dev: node_modules/.package-lock.json ## The same, started again on every change of the sources
	@npm run --silent dev -- $(ARGS)

services-up: node_modules/.package-lock.json ## Start real Kafka (9092), NATS (4222) and Redis (6379), or SERVICES="kafka nats"
	@$(run) node tools/services.ts up $(SERVICES) $(ARGS)

services-down: node_modules/.package-lock.json ## End them; their data stay in .services
	@$(run) node tools/services.ts down $(SERVICES) $(ARGS)

services-status: node_modules/.package-lock.json ## Show what runs, and where
	@$(run) node tools/services.ts status $(SERVICES) $(ARGS)

services-env: node_modules/.package-lock.json ## Print their addresses for a shell
	@$(run) node tools/services.ts env $(SERVICES) $(ARGS)

services-restart: node_modules/.package-lock.json ## Stop and start them
	@$(run) node tools/services.ts restart $(SERVICES) $(ARGS)

services-kill: node_modules/.package-lock.json ## End them as a crash would
	@$(run) node tools/services.ts kill $(SERVICES) $(ARGS)

test: node_modules/.package-lock.json ## Run all tests; what they need of brokers is started by itself
	@npm run --silent test -- $(ARGS)

# What each queue type is proven by. A server that does not start is a failure here, not a reason to leave its tests out.
platform-tests := apps/platform/test/brokers tests/carriers tests/chaos/broker-and-processes tests/system/carrier-walk
postgres-tests := packages/transport/test/postgres packages/log packages/inbox apps/platform/test/ingest tests/chaos/kill-during-ingest
memory-tests := packages/transport/test packages/relay/test/relay apps/platform/test/ingest
nats-tests := packages/transport-nats $(platform-tests)
kafka-tests := packages/transport-kafka $(platform-tests)
composite-tests := packages/relay $(platform-tests)
all-tests := $(sort $(postgres-tests) $(memory-tests) $(nats-tests) $(kafka-tests) $(composite-tests))

integration-test: node_modules/.package-lock.json ## Test on real servers that are started for it: QUEUE=postgres|memory|nats|kafka|composite|all
	@CI=true npm run --silent test -- $(or $($(or $(QUEUE),all)-tests),$(error QUEUE=$(QUEUE) is none of postgres, memory, nats, kafka, composite, all)) $(ARGS)

test-all: lint typecheck ## Lint, types and all tests: every promise on every carrier in full size, with fresh seeds
	@CI=true npm run --silent test -- --whole $(ARGS)

test-coverage: node_modules/.package-lock.json ## Run the tests and write coverage.html (a report, no threshold)
	@npm run --silent coverage -- $(ARGS)

build: node_modules/.package-lock.json typecheck proto ## Check the types and generate what is generated; there is nothing to compile

typecheck: node_modules/.package-lock.json ## Check the types
	@npm run --silent typecheck

proto: node_modules/.package-lock.json ## Generate TypeScript from proto/
	@npm run --silent proto

docs: node_modules/.package-lock.json ## Write openapi.json, .env.example and docs/errors.md
	@npm run --silent errors-doc
	@npm run --silent env-example
	@$(run) node -- apps/platform/bin/headrace.mjs openapi > openapi.json.tmp && mv openapi.json.tmp openapi.json || { rm -f openapi.json.tmp; exit 1; }

lint: node_modules/.package-lock.json ## Find faults in the sources (Biome, installed on first use)
	@npm run --silent lint

fmt: node_modules/.package-lock.json ## Format the sources
	@npm run --silent fmt

bench: node_modules/.package-lock.json ## Measure, and write the table with machine, commit and command
	@npm run --silent bench -- $(ARGS)

load-test: node_modules/.package-lock.json ## Send N=1000 messages, C=10 at a time, to URL and see each processed once
	@npm run --silent load-test -- --messages $(N) --concurrency $(C) --url $(URL) $(ARGS)

demo-shop: node_modules/.package-lock.json ## Show orders and payments in the terminal, in a shop of its own (or ARGS="--url …")
	@$(run) node -- tools/demo-shop.ts $(ARGS)

produce-orders: node_modules/.package-lock.json ## Write COUNT=1000 orders at RATE=200/s, INVALID=5% of them broken, to what order lookup reads
	@npm run --silent produce-orders -- --count $(COUNT) --rate $(RATE) --invalid $(INVALID) $(ARGS)

clean: ## Remove what was generated or installed; never the data in .headrace
	@rm -rf coverage coverage.html dist openapi.json node_modules tools/*/node_modules packages/*/node_modules modules/*/node_modules apps/*/node_modules

# npm writes this file when it installs; older than the lock file means that the lock file has changed since.
node_modules/.package-lock.json: package-lock.json
	@sh tools/install.sh
	@touch $@
