from django.contrib import admin
from django.urls import include, path

from shelfops.tenancy import views

urlpatterns = [
    path(
        "acting/start/<uuid:customer_id>/",
        admin.site.admin_view(views.start_acting),
        name="start-acting",
    ),
    path("acting/stop/", admin.site.admin_view(views.stop_acting), name="stop-acting"),
    path("reports/", include("shelfops.reports.urls")),
    path("", admin.site.urls),
]
