from django.urls import path

from alerts.notifications.views import Mute, Notifications, Read, Settings

urlpatterns = [
    path("notifications/", Notifications.as_view(), name="notifications"),
    path("notifications/read/", Read.as_view(), name="read"),
    path("notifications/settings/", Settings.as_view(), name="notification-settings"),
    path("mute/<str:token>/", Mute.as_view(), name="mute"),
]
