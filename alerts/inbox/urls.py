from django.urls import path

from alerts.inbox.actions import Act, Comment, Undo
from alerts.inbox.views import AlertPage, Inbox
from alerts.notifications.urls import urlpatterns as notifications

app_name = "alerts"
urlpatterns = [
    path("", Inbox.as_view(), name="inbox"),
    path("act/", Act.as_view(), name="act"),
    path("undo/", Undo.as_view(), name="undo"),
    path("<uuid:alert_id>/", AlertPage.as_view(), name="alert"),
    path("<uuid:alert_id>/comment/", Comment.as_view(), name="comment"),
    *notifications,
]
