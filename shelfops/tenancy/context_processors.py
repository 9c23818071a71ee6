from typing import Any

from django.http import HttpRequest


def tenant(request: HttpRequest) -> dict[str, Any]:
    """`customer`, and `acting` while a platform operator works as that customer."""
    return {
        "customer": getattr(request, "customer", None),
        "acting": getattr(getattr(request, "user", None), "acting", False),
    }
