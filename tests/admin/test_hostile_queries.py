"""No query string, whatever it says, makes a page fail."""

import re
from collections.abc import Iterator

from django.test import Client

from tests.cast import Cast
from tests.conftest import logged_in
from tests.rows import fill
from tests.test_access import LEAVES, Page, objects_of, pages

NAMES = {"page", "p", "q", "o", "start", "end", "store", "by", "sort", "view"}
# Of all names at once: a number too large for any column, and NUL before what is no UTF-8.
TOGETHER = ("99999999999999999999", "%00%FF%ED%A0%80")


def queries(page: Page, body: str) -> Iterator[str]:
    """Query strings that name what the page's own forms and links do."""
    fields = re.findall(r'<(?:input|select)[^>]* name="([\w-]{1,60})"', body)
    links = re.findall(r"[?;&](\w{1,60})=", body)
    names = sorted(NAMES.union(fields, links) - {"csrfmiddlewaretoken"})
    for value in TOGETHER:
        yield "&".join(f"{name}={value}" for name in names)
    if page.name.startswith("reports:"):  # stops at the first that is wrong
        yield from (f"{name}=-1&format=csv" for name in names)


def failures(client: Client, page: Page, url: str) -> Iterator[str]:
    response = client.get(url)
    if response.status_code != 200 or response.streaming:
        return
    for query in queries(page, response.content.decode()):
        answer = client.get(f"{url}?{query}")
        if answer.streaming:
            b"".join(answer.streaming_content)
        if answer.status_code >= 500:
            yield f"{page.name}?{query[:80]}: {answer.exc_info[1]!r}"


def test_it_answers_every_query_on_every_page(cast: Cast) -> None:
    fill(cast.customer, cast.store, cast.product)
    objects = objects_of(cast.customer, cast.store, without=cast.admin)
    client = logged_in(cast.admin)
    client.raise_request_exception = False
    found = [
        failure
        for page in pages()
        if page.name not in LEAVES
        for failure in failures(client, page, page.url(objects))
    ]
    assert found == []
