# Everything a developer or a newcomer runs. Needs Python >= 3.11 with venv and pip, and the network.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCES := src tests demo scripts
SYNC := UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --frozen --quiet --no-progress --compile-bytecode
FILES ?=
BENCH ?=
BROWSERS := chromium-headless-shell chromium chromium-browser google-chrome
CLIENTS := tests/clients/node_modules/.package-lock.json
CONSOLE := src/mediatheque/doors/console/built/index.html
CONSOLE_SOURCES := $(shell find console -name node_modules -prune -o -type f ! -name schema.d.ts -print)
BROWSER_ASKED := .venv/.browser
FIND_BROWSER := for name in $(BROWSERS); do command -v $$name; done | grep -q .

.DEFAULT_GOAL := help
.PHONY: help setup demo browser clients console test run check check-python check-console pictures wheel bench docs format clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY) ## Install everything into .venv (cached)

$(READY): pyproject.toml uv.lock Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=python3.12, for example." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE 'uv==[0-9.]+' pyproject.toml)"
	@$(SYNC) || { echo "Trying again with the certificates of this system."; $(SYNC) --system-certs; }
	@$(BIN)/python -m compileall -q src
	@touch $(READY)

demo: setup ## Start the service, put real files through every door, check every byte (FILES="a.mp4 b.jpg")
	@$(BIN)/python -m demo $(FILES)

# The tests drive a real browser. Chromium's shell, which has no windows, does for half of the
# processor time; any other does as well. Where none can be installed, those that need it fail.
browser: $(BROWSER_ASKED)
	@$(FIND_BROWSER) || echo "The tests need Chromium: install it, as one of $(BROWSERS) on the PATH." >&2

$(BROWSER_ASKED): | $(READY)
	@command -v $(firstword $(BROWSERS)) >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { \
		echo "Installing Chromium, which the tests drive."; apt-get update -qq; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get install -qq -y --no-install-recommends $(firstword $(BROWSERS)) >/dev/null \
		|| $(FIND_BROWSER) || apt-get install -qq -y --no-install-recommends chromium >/dev/null || true; }
	@touch $@

# What npm installs: the clients of others that the tests upload with, and their server.
clients: $(CLIENTS)

$(CLIENTS): tests/clients/package-lock.json | $(READY)
	@$(BIN)/python -m tests.support.node
	@touch $@

console: $(CONSOLE) ## Build the web console (cached)

$(CONSOLE): $(CONSOLE_SOURCES) scripts/console.py scripts/node.py | $(READY)
	@$(BIN)/python -m scripts.console
	@touch $@

# More at once than there commonly are processors, and those first that wait most, as for a process
# that was killed to be missed. Hundreds of tests kill, stop and starve processes, beside each other:
# what fails is tried once more, and the summary names it and shows why.
test: setup browser clients console ## Run the whole test suite, real components included
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --reruns 1

run: setup console ## Serve on http://127.0.0.1:5000 until stopped, data in ./data
	@MEDIATHEQUE_DATA_DIR="$${MEDIATHEQUE_DATA_DIR:-$(CURDIR)/data}" exec $(BIN)/mediatheque serve

check: check-python check-console ## Check format, lint, types, layers and docs

check-python: setup
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/uv lock --check --quiet
	@$(BIN)/python -m pytest -q tests/unit/test_docs.py tests/unit/test_tree.py

check-console: setup
	@$(BIN)/python -m scripts.console check

format: setup ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix --quiet $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

pictures: ## Put the pictures that the last tests made of the console into the docs
	@for name in docs/pictures/*.png; do cp "build/console/$${name##*/}" "$$name"; done

wheel: setup console ## Build a wheel with the console in it, into ./dist
	@$(BIN)/uv build --quiet --wheel

bench: setup clients ## Measure beside nginx, @tus/server, s5cmd, rclone and aws (BENCH="--only upload --size 256")
	@$(BIN)/python -m tests.bench $(BENCH)

docs: setup ## Write the reference of settings anew
	@$(BIN)/python -m scripts.settings_reference

clean: ## Remove what was installed and made; keeps ./data
	@rm -rf $(dir $(CLIENTS)) $(dir $(CONSOLE)) console/node_modules .venv .venv-peers build dist bench-results .mypy_cache .ruff_cache .pytest_cache .hypothesis
