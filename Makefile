# Thin wrappers; each script sets up what it needs by itself.
.DEFAULT_GOAL := help
.PHONY: help run test setup fmt lint check deny

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and start the server with a demo collection (DATA=./data, FIGURE_LEDGER_LISTEN=127.0.0.1:8080, PROFILE=release)
	@scripts/run.sh

test: ## run every test (ARGS="-p domain" for some, TEST_LIMIT=40m)
	@scripts/test.sh $(ARGS)

setup: ## install what is missing (the others do it too)
	@scripts/setup.sh tests

fmt: ## format the code
	@cargo fmt --all

lint: ## clippy, warnings denied
	@cargo clippy --workspace --all-targets --locked -- -D warnings

check: ## formatting and lints, nothing changed
	@cargo fmt --all --check
	@$(MAKE) --no-print-directory lint

deny: ## licences and advisories of the dependencies (needs cargo-deny)
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --workspace check; \
	else echo "cargo-deny is not installed: cargo install --locked cargo-deny"; fi
