"""Where a request comes from: the address that a stranger cannot choose."""

from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str | None:
    """The client's IP address; None over a socket without addresses.

    Behind proxies of one's own (setting PROXIES) it is what the outermost of them has written
    into X-Forwarded-For. What stands further left was sent by the client and is not believed.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    believed = forwarded[-settings.PROXIES] if 0 < settings.PROXIES <= len(forwarded) else peer
    return plain(believed) or plain(peer)


def plain(text: str) -> str | None:
    """The address without a port or brackets; None for anything else."""
    text = text.strip()
    candidates = [text, text.rpartition(":")[0].strip("[]"), text.strip("[]")]
    for candidate in candidates:
        with suppress(ValueError):
            address = ip_address(candidate.partition("%")[0])
            if isinstance(address, IPv6Address) and address.ipv4_mapped:
                address = address.ipv4_mapped
            return str(address)
    return None


def network_of(address: str | None) -> str:
    """What one subscriber has: an IPv4 address, or the /64 of an IPv6 address."""
    if address is None or ":" not in address:
        return address or ""
    return str(ip_network(f"{address}/64", strict=False))
