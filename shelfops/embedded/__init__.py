"""An embedded TimescaleDB for development and tests: no server to install."""

from shelfops.embedded.config import database_urls

__all__ = ["database_urls"]
