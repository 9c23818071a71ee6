"""Where uploads go in tests, and whom their processes log in as."""

from pathlib import Path

import pytest

from shelfops.timescale import pending


@pytest.fixture
def spool(
    tmp_path: Path, database_urls: dict[str, str], settings, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder for uploads; a process that imports one works on the tests' database."""
    folder = tmp_path / "uploads"
    settings.UPLOAD_DIR = folder
    environment = {
        "DJANGO_SETTINGS_MODULE": "shelfops.settings",
        "UPLOAD_DIR": str(folder),
        "DATABASE_URL": database_urls["app"],
        "DATABASE_OWNER_URL": database_urls["owner"],
        "DATABASE_OPERATOR_URL": database_urls["operator"],
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture(autouse=True)
def refreshes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """How often a refresh was started in a process of its own: noted here, and not done."""
    noted: list[bool] = []
    monkeypatch.setattr(pending, "start_refresh", lambda: noted.append(True))
    return noted
