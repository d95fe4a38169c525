# Coterie. `make` alone lists what there is. Needs make and a Python from 3.11 to 3.14, no compiler.
#
#   PYTHON=python3.13   the Python to make .venv with (default: the first that fits)
#   ONCE=1              make demo: play once and exit
#   SLOW=1              make test: the slow tests as well
#   PYTEST_ARGS=…       make test: more arguments for pytest, such as a path or -k
#   UPGRADE=1           make requirements: newest versions rather than today's pins

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := uv==0.13.9
PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

.PHONY: help
help: ## List these commands
	@printf 'Coterie: a Matrix application service for groups that buy together.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nThe first one makes .venv and installs everything into it from wheels.\n'

.PHONY: demo
demo: $(STAMP) ## Play the main job against a real local Synapse, then stay up (ONCE=1: exit after the play)
	@ONCE='$(ONCE)' $(BIN)/python -m tests.demo

.PHONY: test
test: $(STAMP) ## Run the tests (SLOW=1: all of them; PYTEST_ARGS=…: passed on)
	$(BIN)/python -m pytest -q -n 3 $(if $(filter-out 0,$(SLOW)),,-m "not slow") $(PYTEST_ARGS)

.PHONY: lint
lint: $(STAMP) ## Check style, format, types and the floors of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(STAMP) ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix-only --show-fixes .
	$(BIN)/ruff format .

# PIP_FIND_LINKS and friends belong to one machine: uv does not read them, and --no-config keeps its own out.
# setuptools is pinned too: the project is installed without build isolation.
COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header $(if $(filter-out 0,$(UPGRADE)),--upgrade) pyproject.toml

.PHONY: requirements
requirements: $(STAMP) ## Recompile the pins from pyproject.toml (UPGRADE=1: newest versions)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV)'
	$(COMPILE) --group dev --output-file requirements-dev.txt
	$(COMPILE) --group build --constraint requirements-dev.txt --output-file requirements.txt
	@if grep -nE '://|^-' requirements.txt requirements-dev.txt || grep -n python-olm requirements.txt; then \
		echo 'A host or an option got into the pins, or python-olm into those of the service: see above.' >&2; exit 1; fi

.PHONY: wheels
wheels: $(STAMP) ## Check that every pin has a wheel for Python 3.11 to 3.14
	@$(BIN)/python tools/check_wheels.py

.PHONY: clean
clean: ## Remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .demo build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A PYTHON that .venv was not made with replaces it.
VERSION := -c 'import sys; print(sys.version_info[:2])' 2>/dev/null
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) $(VERSION)),$(shell $(BIN)/python $(VERSION)))
$(STAMP): FORCE
endif
endif
.PHONY: FORCE
FORCE:

# The stamp comes last, so that a set-up which was stopped half-way is taken up again.
$(STAMP): requirements-dev.txt pyproject.toml tools/set_up.py
	@chosen=''; seen=''; \
	for candidate in $(CANDIDATES); do \
		version=$$($$candidate -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		seen="$$seen $$candidate=$$version"; \
		case $$version in 3.11|3.12|3.13|3.14) chosen=$$candidate; break;; esac; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "Coterie needs a Python from 3.11 to 3.14; found:$${seen:- none of $(CANDIDATES)}." >&2; \
		echo "Install one (Debian 12 and Ubuntu 24.04: apt install python3 python3-venv) or name it:" >&2; \
		echo "  make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.13" >&2; exit 1; \
	fi; \
	$$chosen tools/set_up.py
	@touch $@
