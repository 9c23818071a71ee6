"""`with tenant(customer):`, the middleware's transaction, and what must not be left over."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from inventory.models import Product, Store
from shelfops.tenancy.acting import enter
from shelfops.tenancy.context import NoTenant, current_customer_id, set_local, stream_as, tenant
from shelfops.tenancy.middleware import TenantMiddleware
from shelfops.tenancy.models import User
from tests.cast import Cast


def names() -> list[str]:
    return list(Product.objects.values_list("name", flat=True))


def test_it_gives_back_the_outer_customer(cast: Cast) -> None:
    with tenant(cast.customer):
        with tenant(cast.other_customer):
            assert names() == ["Rival milk"]
            assert current_customer_id() == cast.other_customer.pk
        assert names() == ["Milk 1 l"]
        assert current_customer_id() == cast.customer.pk
    assert names() == []


def test_it_gives_back_the_outer_customer_after_an_error(cast: Cast) -> None:
    with tenant(cast.customer):
        with pytest.raises(ZeroDivisionError), tenant(cast.other_customer):
            Product.objects.create(sku="GONE", name="Gone")
            raise ZeroDivisionError
        assert names() == ["Milk 1 l"]
    with tenant(cast.other_customer):
        assert names() == ["Rival milk"]


def test_it_tells_code_without_a_tenant(cast: Cast) -> None:
    with pytest.raises(NoTenant, match="No customer is set"):
        Product.objects.create(sku="X", name="X")
    with pytest.raises(NoTenant, match="inside a transaction"):
        set_local("current_customer_id", cast.customer.pk)


def test_it_refuses_a_row_without_a_tenant_in_the_database(cast: Cast) -> None:
    with pytest.raises(Exception, match="row-level security"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO products (customer_id, sku, name) VALUES (%s, 'X', 'X')",
            [cast.customer.pk],
        )


def test_it_names_the_field_that_is_taken(cast: Cast) -> None:
    with tenant(cast.customer):
        with pytest.raises(Exception) as refused:
            Store(code="S1", name="Again").full_clean()
        assert refused.value.message_dict == {"code": ["This code is already in use."]}
        with pytest.raises(IntegrityError), transaction.atomic():
            Store.objects.create(code="S1", name="Again")
        Store(code="S3", name="New").full_clean()


def request_of(user: User, **session: str):
    request = RequestFactory().get("/")
    request.user = user
    request.session = session
    return request


def test_it_serves_a_request_as_the_users_customer(cast: Cast) -> None:
    def view(request) -> HttpResponse:
        return HttpResponse(",".join(names()))

    assert TenantMiddleware(view)(request_of(cast.admin)).content == b"Milk 1 l"
    assert TenantMiddleware(view)(request_of(cast.outsider)).content == b"Rival milk"
    assert TenantMiddleware(view)(request_of(cast.operator)).content == b""
    assert names() == []


def test_it_lets_only_an_operator_act_as_a_customer(cast: Cast) -> None:
    def view(request) -> HttpResponse:
        return HttpResponse(f"{request.customer}/{request.user.acting}")

    acting: dict = {}
    enter(acting, cast.other_customer.pk)
    served = TenantMiddleware(view)(request_of(cast.operator, **acting))
    assert served.content == b"Rival Foods/True"
    served = TenantMiddleware(view)(request_of(cast.admin, **acting))
    assert served.content == b"Acme Grocers/False"
    enter(acting, uuid4())
    served = TenantMiddleware(view)(request_of(cast.operator, **acting))
    assert served.content == b"None/False"


def test_it_streams_as_the_customer_after_the_middleware_returned(cast: Cast) -> None:
    def rows():
        for product in Product.objects.order_by("name").iterator():
            Product.objects.filter(pk=product.pk).exists()
            yield f"{product.name};{current_customer_id() == cast.customer.pk}"

    def view(request) -> StreamingHttpResponse:
        return StreamingHttpResponse(rows())

    response = TenantMiddleware(view)(request_of(cast.admin))
    assert not connections["default"].in_atomic_block
    assert list(response) == [b"Milk 1 l;True"]
    assert names() == []


def test_it_ends_a_stream_that_nobody_reads_to_the_end(cast: Cast) -> None:
    stream = stream_as(cast.customer.pk, iter(["one", "two"]))
    assert next(stream) == "one"
    stream.close()
    assert not connections["default"].in_atomic_block


@pytest.mark.urls("tests.tenancy.failing_urls")
@pytest.mark.parametrize(("path", "status"), [("/error/", 500), ("/missing/", 404)])
def test_it_undoes_what_a_failing_view_wrote(cast: Cast, client_of, path, status) -> None:
    client = client_of(cast.admin)
    client.raise_request_exception = False
    assert client.get(path).status_code == status
    with tenant(cast.customer):
        assert names() == ["Milk 1 l"]
