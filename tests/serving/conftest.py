"""The web server as `make run` starts it, over the tests' database."""

from collections.abc import Iterator

import pytest

from shelfops.embedded.config import free_port
from shelfops.management.commands.run import stopping, wait_until_served, web_command
from tests.serving.clients import answer


@pytest.fixture(scope="session")
def port(
    migrated: None, database_urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Where it serves. One server for all tests: it is what they try to block."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.serving.settings",
        "UPLOAD_DIR": str(tmp_path_factory.mktemp("uploads")),
        "DATABASE_URL": database_urls["app"],
        "DATABASE_OWNER_URL": database_urls["owner"],
        "DATABASE_OPERATOR_URL": database_urls["operator"],
        "WEB_CONCURRENCY": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        port = free_port()
        with stopping(web_command(port)) as web:
            wait_until_served(port, web)
            assert answer(port, "GET", "/login/", seconds=30)[0] == 200
            yield port
