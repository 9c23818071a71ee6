"""Views that write and then fail."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from inventory.models import Product


def failing(error: type[Exception]):
    def view(request: HttpRequest) -> HttpResponse:
        Product.objects.create(sku="HALF", name="Half done")
        raise error

    return view


urlpatterns = [path("error/", failing(ZeroDivisionError)), path("missing/", failing(Http404))]
