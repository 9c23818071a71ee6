"""A wrong or missing variable stops the start and names itself."""

import os
import subprocess
import sys
from pathlib import Path

import environ
import pytest

from shelfops.encryption import is_exposed

ROOT = Path(__file__).resolve().parent.parent
URL = "postgresql://someone:secret@127.0.0.1:1/db"
GOOD = {
    "SECRET_KEY": "x",
    "DATABASE_URL": URL,
    "DATABASE_OWNER_URL": URL,
    "DATABASE_OPERATOR_URL": URL,
}


FAR = "postgresql://someone:secret@db.example/db"


def start(**variables: str | None) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of its own with just these variables (None: unset)."""
    environment = {
        name: value for name, value in {**GOOD, **variables}.items() if value is not None
    }
    # No .env is read: its values would stand in for the variable that is left out.
    code = "import environ; environ.Env.read_env = lambda *a, **k: None; import shelfops.settings"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_starts_with_all_that_it_needs() -> None:
    assert start().returncode == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", ""),
        ("DATABASE_URL", None),
        ("DATABASE_URL", "not a url"),
        ("DATABASE_URL", "mysql://a:b@c/d"),
        ("DATABASE_URL", "sqlite:///file"),
        ("DATABASE_OWNER_URL", "postgresql://a:b@c"),
        ("DEBUG", "maybe"),
        ("HTTPS", "2"),
        ("DATABASE_POOL_SIZE", "-1"),
        ("DATABASE_POOL_SIZE", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("EMAIL_URL", "pigeon://a:secret@b"),
        ("SITE_URL", "shop.example"),
    ],
)
def test_it_names_a_variable_that_is_wrong(variable: str, value: str | None) -> None:
    result = start(**{variable: value})
    assert result.returncode != 0
    assert variable in result.stderr.splitlines()[-1]
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    ("variable", "query"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_OWNER_URL", "?sslmode=prefer"),
        ("DATABASE_OPERATOR_URL", "?sslmode=disable"),
    ],
)
def test_it_sends_no_password_in_the_clear_to_another_machine(variable: str, query: str) -> None:
    result = start(**{variable: FAR + query})
    assert result.returncode != 0
    last = result.stderr.splitlines()[-1]
    assert variable in last
    assert "sslmode=verify-full" in last
    assert "secret" not in result.stderr


def test_it_starts_where_the_connection_is_encrypted_or_the_network_is_trusted() -> None:
    assert start(DATABASE_URL=f"{FAR}?sslmode=require").stderr == ""
    assert start(DATABASE_URL=FAR, DATABASE_PLAINTEXT="true").stderr == ""
    assert start(DATABASE_URL=FAR, DATABASE_PLAINTEXT="false").returncode != 0


def exposed(url: str, **environment: str) -> bool:
    return is_exposed(environ.Env.db_url_config(url), environment)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "", "REQUIRE", "none"])
def test_it_takes_no_other_mode_for_encryption(mode: str) -> None:
    assert exposed(f"{FAR}?sslmode={mode}")
    assert exposed(f"{FAR}?sslmode={mode}", PGSSLMODE="verify-full") == bool(mode)
    assert exposed(FAR, PGSSLMODE=mode)
    for good in ("require", "verify-ca", "verify-full"):
        assert not exposed(f"{FAR}?sslmode={good}")
        assert not exposed(FAR, PGSSLMODE=good)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a:b@192.0.2.1/db",
        "postgresql://a:b@127.0.0.1.example/db",
        "postgresql://a:b@localhost,db.example/db",
        "postgresql://a:b@127.0.0.1/db?host=db.example",
        "postgresql://a:b@127.0.0.1/db?hostaddr=192.0.2.1",
        "postgresql://a:b@[2001:db8::1]/db",
        "postgresql://a:b@/db?service=far",
        "postgresql://a:b@0.0.0.0/db",
    ],
)
def test_it_sees_another_machine_however_it_is_named(url: str) -> None:
    assert exposed(url)


@pytest.mark.parametrize(
    "url",
    [
        *(f"postgresql://a:b@{host}/db" for host in ("localhost", "127.0.0.2", "[::1]", "")),
        "postgresql://a:b@/db?host=/run/postgresql",
        "postgresql://a:b@%2Frun%2Fpostgresql/db",
    ],
)
def test_it_wants_no_encryption_within_this_machine(url: str) -> None:
    assert not exposed(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PGHOST", "db.example"), ("PGHOSTADDR", "192.0.2.1"), ("PGSERVICE", "far")],
)
def test_it_sees_another_machine_in_the_environment(name: str, value: str) -> None:
    assert exposed("postgresql://a:b@/db", **{name: value})


def test_it_starts_the_web_without_the_owners_and_the_operators_log_ins() -> None:
    assert start(DATABASE_OWNER_URL=None, DATABASE_OPERATOR_URL=None).returncode == 0


def test_it_withholds_from_the_web_what_its_environment_holds() -> None:
    """Loading the WSGI entry point, short of the checks, which find no server at this address."""
    code = """
import django.core.management.base as base
base.BaseCommand.check = lambda *args, **kwargs: None
import os, shelfops.wsgi
from django.db import connections
print(sorted(connections), [os.environ[n] for n in ("DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL")])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **GOOD},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "['default'] ['', '']"


def test_it_reads_a_secret_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("from-file")
    assert start(SECRET_KEY=None, SECRET_KEY_FILE=str(secret)).returncode == 0
    missing = start(SECRET_KEY=None, SECRET_KEY_FILE=str(tmp_path / "none"))
    assert missing.returncode != 0
    assert "SECRET_KEY_FILE" in missing.stderr
