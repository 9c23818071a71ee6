"""Reports, acting as a customer, and the admin, which is the shell of all of it."""

from django.contrib import admin
from django.urls import include, path

from inventory.product_page import ProductReport
from inventory.views import StockReport
from sales.views import SalesReport
from shelfops.saved_views.views import ChangeView, Save
from shelfops.tenancy.views import start_acting, stop_acting

reports = [
    path("sales/", SalesReport.as_view(), name="sales"),
    path("stock/", StockReport.as_view(), name="stock"),
    path("products/<uuid:product_id>/", ProductReport.as_view(), name="product"),
]
saved_views = [
    path("", Save.as_view(), name="save"),
    path("<uuid:view_id>/", ChangeView.as_view(), name="change"),
]
acting = admin.site.admin_view

urlpatterns = [
    path("reports/", include((reports, "reports"))),
    path("saved-views/", include((saved_views, "saved-views"))),
    path("acting/start/<uuid:customer_id>/", acting(start_acting), name="start-acting"),
    path("acting/stop/", acting(stop_acting), name="stop-acting"),
    path("", admin.site.urls),
]
