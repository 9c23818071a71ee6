"""Every report with every choice of its filters, found in the URLs, so that none is forgotten."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django_filters import ChoiceFilter

from shelfops.reports.views import Report

# A product, store, department and category to narrow a report to: those that sell best.
EXAMPLES = """
SELECT product_id AS product_id, store_id AS store, department, category
FROM daily_sales JOIN products USING (product_id)
WHERE day >= now() - INTERVAL '28 days' AND department <> '' AND category <> ''
GROUP BY product_id, store_id, department, category
ORDER BY sum(lines) DESC, product_id, store_id LIMIT 1
"""


def report_views(
    patterns: list[URLPattern | URLResolver], namespace: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """The names and patterns of all pages that are reports."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from report_views(pattern.url_patterns, namespace + inner)
        elif issubclass(getattr(pattern.callback, "view_class", object), Report):
            yield namespace + pattern.name, pattern


def pages(examples: Mapping[str, object], days: int) -> Iterator[str]:
    """The home page; each report with each choice of its filters, one at a time, and as a file."""
    yield reverse("admin:index")
    for name, pattern in report_views(get_resolver().url_patterns):
        kwargs = {key: examples[key] for key in pattern.pattern.converters}
        base = f"{reverse(name, kwargs=kwargs)}?period={days}"
        yield base
        for field, filter_ in pattern.callback.view_class.filter_class.base_filters.items():
            if field in examples:
                yield f"{base}&{urlencode({field: examples[field]})}"
            elif isinstance(filter_, ChoiceFilter) and field != "period":
                yield from (
                    f"{base}&{field}={value}" for value, _ in filter_.extra.get("choices", ())
                )
        yield f"{base}&format=csv"
