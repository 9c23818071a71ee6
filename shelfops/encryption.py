"""Whether a connection to the database leaves this machine unencrypted.

Knows nothing of Django's settings: they ask it while they are read.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

ENCRYPTED = {"require", "verify-ca", "verify-full"}


def is_exposed(config: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """True if passwords and rows would go over a network in the clear, or might.

    `config` is a database of Django's settings. libpq takes from the environment what it lacks.
    """
    options = config.get("OPTIONS", {})
    mode = options.get("sslmode", environment.get("PGSSLMODE", ""))
    return mode not in ENCRYPTED and not all(map(is_here, places(config, environment)))


def places(config: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Every host, address or socket folder that the connection may go to."""
    options = config.get("OPTIONS", {})
    named = [config.get("HOST"), options.get("host"), options.get("hostaddr")]
    named = named if any(named) else [environment.get("PGHOST"), environment.get("PGHOSTADDR")]
    for text in filter(None, named):
        yield from str(text).split(",")
    for service in (options.get("service"), environment.get("PGSERVICE")):
        if service:
            yield f"service {service}"  # a file says where it is; ours cannot know


def is_here(place: str) -> bool:
    """A socket's folder or a loopback address."""
    place = place.strip().replace("%2F", "/").replace("%2f", "/")
    if not place or place.startswith(("/", "@")) or place == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(place).is_loopback
    return False
