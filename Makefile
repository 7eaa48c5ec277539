# `make demo` and `make test` need nothing set up before them but Swift.
SHELL := /bin/bash
PYTHON := .dev/venv/bin/python
# How many jobs the compiler runs at once; empty is all cores.
JOBS ?=
SWIFT_FLAGS := $(if $(JOBS),-j $(JOBS))

.PHONY: help setup build demo run test test-unit test-fuzz test-front test-integration lint completions manual clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: Debian packages (as root) and .dev/venv
	@dev/setup

build: setup ## Build .build/release/router
	swift build -c release $(SWIFT_FLAGS)

demo: build ## Events through the whole pipeline on this machine, and the account that balances
	@dev/demo

run: build ## Keep a router running against the development stack, until Ctrl-C
	@dev/stack up
	@set -a; source <(dev/stack env); set +a; exec .build/release/router run

test: lint test-unit test-fuzz test-front test-integration ## Everything that CI runs

test-unit: setup ## Tests in Swift
	dev/test-unit $(SWIFT_FLAGS)

test-fuzz: setup ## Some seconds of fuzzing the decoder; dev/fuzz for more
	@dev/fuzz --runs 50000

test-front: setup ## Tests of the development stack: dev/clickhouse-front, dev/stack, dev/lint
	$(PYTHON) -m pytest -q -p no:cacheprovider Tests/FrontTests Tests/StackTests

test-integration: build ## The program against real servers, on a private stack
	dev/test-integration

lint: setup ## Format, shell scripts, import direction, Dockerfile
	@dev/lint

completions: build ## Completions for bash, zsh and fish, into .build/completions
	@mkdir -p .build/completions
	.build/release/router completions bash >.build/completions/router
	.build/release/router completions zsh >.build/completions/_router
	.build/release/router completions fish >.build/completions/router.fish

manual: build ## The manual page, into .build/manual/router.1
	@mkdir -p .build/manual
	.build/release/router --experimental-dump-help | dev/manual >.build/manual/router.1

clean: ## End the development stack and remove its data and everything built
	@if [ -x $(PYTHON) ]; then dev/stack reset; fi
	rm -rf .build .dev Tests/Fuzzing/.build
