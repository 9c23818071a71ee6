from django.urls import path

from inventory.views import ProductReport, StockReport
from sales.views import SalesReport

app_name = "reports"
urlpatterns = [
    path("sales/", SalesReport.as_view(), name="sales"),
    path("stock/", StockReport.as_view(), name="stock"),
    path("products/<uuid:product_id>/", ProductReport.as_view(), name="product"),
]
