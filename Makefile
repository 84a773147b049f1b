# `make demo` and `make test` work on a machine that has Python 3.11, git and make; what else is needed is fetched into this folder.
# Arguments: make demo ARGS="--peers 8", make test ARGS="tests/machine". A part of the tests is not asked for the whole coverage.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
CORE := learnae/machine/*,learnae/codec/*,learnae/averaging/*

.PHONY: demo test lint
.NOTPARALLEL:

demo: $(UV)
	$(UV) sync --locked
	$(UV) run --no-sync learnae demo $(ARGS)

test: lint
	$(UV) run --no-sync pytest -n 2 --dist loadfile --cov --cov-report= $(ARGS)
	@$(if $(filter-out --%,$(ARGS)),true,$(UV) run --no-sync coverage report --include='$(CORE)' --fail-under=100 > .core.txt || { cat .core.txt; exit 1; })

lint: $(UV)
	$(UV) sync --locked
	$(UV) run --no-sync ruff check
	$(UV) run --no-sync ruff format --check
	$(UV) run --no-sync mypy
	$(UV) run --no-sync lint-imports

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	echo '*' > .uv/.gitignore
	.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
