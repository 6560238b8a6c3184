# One entry point. Each target makes $(VENV) if it is missing, installs only what it needs, and then does its work.
# A stamp under $(VENV) records each finished install: it is redone when pyproject.toml changes or PYTHON is another version.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
QUICK ?=
CHROMIUM ?=
unexport CHROMIUM  # only `make browser` asks for the tests that need one

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two pips must not write to one environment

BIN := $(VENV)/bin
STAMPS := $(VENV)/.jwtguard
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
CACHES := .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
SOURCES := jwtguard tests examples benchmarks

# Which Python is meant, asked only where an environment is needed. "none" if it does not run or is too old.
ifneq ($(filter-out help clean,$(MAKECMDGOALS)),)
SHOW_VERSION := 'import sys; v = sys.version_info; print("%d.%d.%d%s" % (*v[:3], sys.abiflags) if v >= (3, 11) else "none")'
VERSION := $(or $(shell $(PYTHON) -c $(SHOW_VERSION) 2>/dev/null),none)
endif

.PHONY: demo test browser lint corpus bench mutate clean help

demo: $(STAMPS)/demo  ## Run a real issuer and a protected API on loopback (ARGS="...")
	@$(BIN)/jwtguard demo $(ARGS)

test: $(STAMPS)/test  ## Run the tests (ARGS="-k claims -x")
	@$(BIN)/python -m pytest $(ARGS)

browser: $(STAMPS)/browser  ## Run the tests that need a browser (CHROMIUM=program, ARGS="-k csrf")
	@program="$$(CHROMIUM='$(CHROMIUM)' $(BIN)/python -m tests.kit.browser_program)" && \
		CHROMIUM="$$program" $(BIN)/python -m pytest -o faulthandler_timeout=120 -o faulthandler_exit_on_timeout=true \
		tests/browser $(ARGS)

lint: $(STAMPS)/lint  ## Check style, formatting, types and import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

corpus: $(STAMPS)/test  ## Judge a corpus of hostile and valid tokens (JWTGUARD_CORPUS=directory, ARGS="...")
	@$(BIN)/python -m tests.corpus $(ARGS)

bench: $(STAMPS)/bench  ## Measure against other libraries (QUICK=1 for a short run, ARGS="...")
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(ARGS)

mutate: $(STAMPS)/test  ## Break the code on purpose and see that the tests notice (ARGS="...")
	@$(BIN)/python -m tests.mutation $(ARGS)

clean:  ## Remove the environment, the caches and what was built
	@if [ -e $(STAMPS)/made-here ]; then rm -rf $(VENV); else rm -rf $(STAMPS); fi
	@rm -rf $(CACHES)
	@$(if $(wildcard $(SOURCES)),find $(wildcard $(SOURCES)) -type d -name __pycache__ -prune -exec rm -rf {} +)

help:  ## Show this list
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nPYTHON=python3.12 chooses the interpreter (3.11 or later), VENV=directory the environment.\n'

# What each target needs installed.
$(STAMPS)/demo: REQUIREMENTS := -e '.[demo]'
$(STAMPS)/test: REQUIREMENTS := -e . --group test
$(STAMPS)/browser: REQUIREMENTS := -e . --group browser
$(STAMPS)/lint: REQUIREMENTS := -e . --group lint --group test
$(STAMPS)/bench: REQUIREMENTS := -e . --group bench

$(STAMPS)/demo $(STAMPS)/test $(STAMPS)/browser $(STAMPS)/lint $(STAMPS)/bench: pyproject.toml $(STAMPS)/python-$(VERSION)
	@echo "Installing what 'make $(@F)' needs into $(VENV) ..."
	@$(INSTALL) $(REQUIREMENTS)
	@touch $@

# The environment. One of the right version that somebody else made is used as it is; one of another version is replaced
# only if it was made here. Without ensurepip (Debian splits it off) the pip of $(PYTHON), or virtualenv, steps in.
ifeq ($(VERSION),none)
$(STAMPS)/python-none:
	@echo "make: PYTHON=$(PYTHON) is not a Python of version 3.11 or later. Choose one: make PYTHON=python3.12 ..." >&2
	@exit 1
else
$(STAMPS)/python-$(VERSION):
	@if [ -e $(VENV)/pyvenv.cfg ] && [ "$$($(BIN)/python -c $(SHOW_VERSION) 2>/dev/null)" = "$(VERSION)" ] && \
			$(BIN)/python -m pip --version >/dev/null 2>&1; then \
		mkdir -p $(STAMPS) && rm -f $(STAMPS)/python-*; \
	elif [ -e $(VENV) ] && [ ! -e $(STAMPS)/made-here ]; then \
		echo "make: $(VENV) was not made by this Makefile and is not an environment of Python $(VERSION) with pip." >&2; \
		echo "      Remove it, or choose another: make VENV=directory ..." >&2; \
		exit 1; \
	else \
		echo "Creating $(VENV) with Python $(VERSION) ..."; \
		rm -rf $(VENV) && mkdir -p $(STAMPS) && touch $(STAMPS)/made-here || exit 1; \
		if $(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV); then :; \
		elif $(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m venv --without-pip $(VENV) && \
			$(PYTHON) -m pip --python $(BIN)/python install -qq --disable-pip-version-check pip; then :; \
		elif $(PYTHON) -m virtualenv --version >/dev/null 2>&1 && $(PYTHON) -m virtualenv --quiet $(VENV); then :; \
		elif command -v virtualenv >/dev/null && virtualenv --quiet --python $(PYTHON) $(VENV); then :; \
		else \
			echo "make: $(PYTHON) can make no environment: it has neither ensurepip, nor pip, nor virtualenv." >&2; \
			echo "      Install one of them (on Debian and Ubuntu: apt-get install python3-venv)." >&2; \
			exit 1; \
		fi; \
	fi
	@$(INSTALL) 'pip>=25.1'  # the first with --group
	@touch $@
endif
