"""Reports, acting as a customer, and the admin, which is the shell of all of it."""

from django.contrib import admin
from django.urls import include, path

from inventory.product_page import ProductReport
from inventory.reports.movement_pages import Availability, SellThrough, StockAsOf, StockTurn
from inventory.reports.product_pages import AbcClasses, DeadStock, PhantomStock
from inventory.views import StockReport
from sales.views import SalesReport
from shelfops.ingestion.master import views as master
from shelfops.ingestion.uploads import views as uploads
from shelfops.quality.views import QualityReport
from shelfops.saved_views.views import ChangeView, Save
from shelfops.tenancy.views import start_acting, stop_acting

reports = [
    path("sales/", SalesReport.as_view(), name="sales"),
    path("stock/", StockReport.as_view(), name="stock"),
    path("stock/as-of/", StockAsOf.as_view(), name="stock-as-of"),
    path("stock/abc/", AbcClasses.as_view(), name="abc"),
    path("stock/turn/", StockTurn.as_view(), name="stock-turn"),
    path("stock/sell-through/", SellThrough.as_view(), name="sell-through"),
    path("stock/availability/", Availability.as_view(), name="availability"),
    path("stock/dead/", DeadStock.as_view(), name="dead-stock"),
    path("stock/phantom/", PhantomStock.as_view(), name="phantom-stock"),
    path("products/<uuid:product_id>/", ProductReport.as_view(), name="product"),
    path("quality/", QualityReport.as_view(), name="quality"),
]
saved_views = [
    path("", Save.as_view(), name="save"),
    path("<uuid:view_id>/", ChangeView.as_view(), name="change"),
]
acting = in_shell = admin.site.admin_view
imports = [
    path("new/", in_shell(uploads.upload_page), name="upload"),
    path("files/<str:ticket>/", uploads.receive, name="receive"),
    path("check/<str:ticket>/", in_shell(uploads.check), name="check"),
    path("progress/<str:ticket>/", uploads.progress, name="progress"),
]
master_data = [
    path("", in_shell(master.upload), {"kind": "products"}, name="products"),
    path("stores/", in_shell(master.upload), {"kind": "stores"}, name="stores"),
    path(
        "reorder-points/",
        in_shell(master.upload),
        {"kind": "reorder_points"},
        name="reorder_points",
    ),
    path("<uuid:draft_id>/columns/", in_shell(master.columns), name="columns"),
    path("<uuid:draft_id>/", in_shell(master.preview), name="preview"),
    path("<uuid:draft_id>/apply/", in_shell(master.apply), name="apply"),
    path("<uuid:draft_id>/discard/", in_shell(master.discard), name="discard"),
]

urlpatterns = [
    path("alerts/", include("alerts.inbox.urls")),
    path("reports/", include((reports, "reports"))),
    path("saved-views/", include((saved_views, "saved-views"))),
    path("imports/master/", include((master_data, "master"))),
    path("imports/", include((imports, "imports"))),
    path("acting/start/<uuid:customer_id>/", acting(start_acting), name="start-acting"),
    path("acting/stop/", acting(stop_acting), name="stop-acting"),
    path("", admin.site.urls),
]
