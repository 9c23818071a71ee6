"""A wrong or missing variable stops the start and names itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
URL = "postgresql://someone:secret@127.0.0.1:1/db"
GOOD = {
    "SECRET_KEY": "x",
    "DATABASE_URL": URL,
    "DATABASE_OWNER_URL": URL,
    "DATABASE_OPERATOR_URL": URL,
}


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
        ("DATABASE_OWNER_URL", None),
        ("DATABASE_OPERATOR_URL", None),
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


def test_it_reads_a_secret_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("from-file")
    assert start(SECRET_KEY=None, SECRET_KEY_FILE=str(secret)).returncode == 0
    missing = start(SECRET_KEY=None, SECRET_KEY_FILE=str(tmp_path / "none"))
    assert missing.returncode != 0
    assert "SECRET_KEY_FILE" in missing.stderr
