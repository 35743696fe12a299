# `make` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help install monitor alerts self-test test test-servers check lint types bench format picture page-pictures generate package clean

VENV := .venv
NO_TESTS := 5  # how pytest says that it was given none
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(VENV)/debian/usr/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE  # ten processes collect the tests: 16 s each without compiled files, 7 s with them

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/installed: requirements.txt
	@scripts/python-environment requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements.txt requirements-dev.txt $(VENV)/installed
	@scripts/python-environment requirements-dev.txt
	@touch $@

install: $(VENV)/installed ## make the virtual environment with what the monitor needs

monitor: install ## check the websites of config.json and show statistics
	@$(BIN)/python monitoringApp.py -m

alerts: install ## show the history of alerts and follow it
	@$(BIN)/python monitoringApp.py -a

self-test: install ## test the alerting with a server that goes down and comes back
	@$(BIN)/python monitoringApp.py -t

test: $(VENV)/installed-dev ## install what the tests need, and run them
	@scripts/test-programs
	$(BIN)/python -m pytest -n 6 --dist loadgroup -m "not timing" $(TESTS) || [ $$? = $(NO_TESTS) ]
	$(BIN)/python -m pytest -n 0 -m timing $(TESTS) || [ $$? = $(NO_TESTS) ]  # nothing else may run beside a stop-watch

test-servers: $(VENV)/installed-dev ## watch sites of nginx, apache, haproxy, httpbin, OpenSSL and dnsmasq
	@scripts/test-servers

check: lint types test ## everything that must pass before a commit

lint: $(VENV)/installed-dev ## ruff: style, and many kinds of mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## mypy --strict
	$(BIN)/mypy

format: $(VENV)/installed-dev ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-dev ## measure from 10 to 4000 sites, both stores, and the monitor beside its peers
	@scripts/test-programs prometheus-blackbox-exporter
	$(BIN)/python -m bench

picture: $(VENV)/installed-dev ## draw the screen that the README shows: docs/screen.svg
	$(BIN)/python -m scripts.picture

page-pictures: $(VENV)/installed-dev ## take the pictures of the status page in docs/ anew, with Chromium
	@scripts/test-programs
	PICTURES=docs $(BIN)/python -m pytest -q tests/web/test_captures.py

generate: $(VENV)/installed-dev ## write anew what is made from the code: the man page, config.schema.json
	$(BIN)/python -m scripts.manpage
	$(BIN)/python -m scripts.schema

package: $(VENV)/installed-dev ## build the wheel and the sdist: dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove the virtual environment and caches, not the data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -r {} +
