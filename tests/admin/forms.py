"""Sending the admin's forms as a browser would."""

from typing import Any

from django.test import Client

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
        "effective_from_0": "2030-01-01",
        "effective_from_1": "08:00",
        **fields,
    }


def errors_of(response: Any) -> dict[str, list[str]]:
    """The errors of a page's form, by field."""
    return dict(response.context["adminform"].form.errors)


def names_in(client: Client, url: str) -> set[str]:
    """The rows of a list, as text."""
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return {str(row) for row in response.context["cl"].result_list}
