"""Sending the admin's forms as a browser would."""

from datetime import datetime
from typing import Any

from inventory.models import ReorderPoint
from tests.rows import days_ago

INLINE = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 1000}


def inline(prefix: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """The fields of an inline with new rows only."""
    counts = INLINE | {"TOTAL_FORMS": len(rows)}
    data = {f"{prefix}-{name}": value for name, value in counts.items()}
    for number, row in enumerate(rows):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def product_form(*points: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A product's page; `points` are new reorder points."""
    return {
        "_version": 1,
        "sku": "MILK-1",
        "name": "Milk 1 l",
        "is_active": "on",
        **inline("reorder_points", *points),
        **inline("reorder_points-2"),
        **fields,
    }


def reorder_point(store: Any, **fields: Any) -> dict[str, Any]:
    return {
        "store": store.pk,
        "reorder_point": 5,
        "order_multiple": 1,
        **starting(days_ago(1)),
        **fields,
    }


def made_from(point: ReorderPoint) -> dict[str, str]:
    """What the form of a new reorder point says once it has shown the one in force."""
    return {"based_on": f"{point.pk}.{point.version}"}


def starting(at: datetime) -> dict[str, str]:
    return {"effective_from_0": f"{at:%Y-%m-%d}", "effective_from_1": f"{at:%H:%M:%S}"}


def errors_of(response: Any) -> dict[str, list[str]]:
    """The errors of a page's form, by field."""
    return dict(response.context["adminform"].form.errors)
