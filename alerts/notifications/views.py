"""The bell's page, a person's choices, and muting from a mail."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.signing import SignatureExpired
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from alerts.inbox import words
from alerts.inbox.pages import WorkPage
from alerts.models import AlertEvent, AlertType, Severity
from alerts.notifications import queries
from alerts.notifications.mails import ALL, opened
from alerts.notifications.models import NotificationSettings
from inventory.models import Store
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User


class OwnPage(WorkPage):
    """For people of a customer: a platform operator who acts as one is told nothing."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request.user, "is_operator", False):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class Notifications(OwnPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        context = {
            **site.each_context(request),
            "title": "Notifications",
            "notices": [
                {
                    **notice,
                    "type": AlertType(notice["alert_type"]).label,
                    "severity_label": Severity(notice["severity"]).label,
                    # What was hidden when it opened is told when it is shown.
                    "news": AlertEvent.Kind(notice["kind"].replace("shown", "opened")).label,
                    "age": words.since(notice["created_at"]),
                }
                for notice in queries.latest(self.user)
            ],
        }
        return render(request, "alerts/notifications.html", context)


class Read(OwnPage):
    """Marks all as read, or one and leads to its alert."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if "all" in request.POST:
            count = queries.read(self.user)
            messages.success(request, f"{count} marked as read.")
            return redirect("alerts:notifications")
        try:
            notification = UUID(request.POST.get("notification", ""))
        except ValueError as error:
            raise BadRequest("The form names no notification.") from error
        alert = queries.alert_of(self.user, notification)
        if alert is None:
            raise Http404
        queries.read(self.user, notification)
        return redirect("alerts:alert", alert)


class SettingsForm(forms.ModelForm):
    """Types and stores are those that the person is told of; what is kept is what is muted."""

    types = forms.MultipleChoiceField(
        label="Types of alerts",
        choices=AlertType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    stores = forms.MultipleChoiceField(
        label="Stores", required=False, widget=forms.CheckboxSelectMultiple
    )
    time_zone = forms.ChoiceField(label="Time zone", required=False)
    digest_hour = forms.TypedChoiceField(
        label="Hour of the digest",
        coerce=int,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
    )

    class Meta:
        model = NotificationSettings
        fields = ["mails_at_once", "mails_digest", "digest_hour", "time_zone"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = list(Store.objects.visible_to(user).values_list("pk", "name", "time_zone"))
        stores: Any = self.fields["stores"]
        stores.choices = [(str(pk), name) for pk, name, _ in found]
        zones = sorted({zone for _, _, zone in found} | {"UTC"})
        zone: Any = self.fields["time_zone"]
        zone.choices = [("", "That of most of my stores"), *((name, name) for name in zones)]
        if self.instance.time_zone not in zones:
            self.initial["time_zone"] = ""
        muted = {str(pk) for pk in self.instance.muted_stores}
        self.initial["stores"] = [key for key, _ in stores.choices if key not in muted]
        self.initial["types"] = [
            name for name in AlertType.values if name not in self.instance.muted_types
        ]

    def save(self, commit: bool = True) -> NotificationSettings:
        """Stores that are not the person's now stay as they are."""
        shown: Any = self.fields["stores"]
        offered = {key for key, _ in shown.choices}
        chosen = set(self.cleaned_data["stores"])
        kept = {str(pk) for pk in self.instance.muted_stores} - offered
        self.instance.muted_stores = [UUID(key) for key in sorted(kept | (offered - chosen))]
        self.instance.muted_types = sorted(set(AlertType.values) - set(self.cleaned_data["types"]))
        saved: NotificationSettings = super().save(commit)
        return saved


class Settings(OwnPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.page(SettingsForm(instance=self.own(), user=self.user))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        # One change at a time, so that two windows make no two rows.
        User.objects.select_for_update().get(pk=self.user.pk)
        form = SettingsForm(request.POST, instance=self.own(), user=self.user)
        if not form.is_valid():
            return self.page(form)
        form.save()
        messages.success(request, "Your choices are saved. They hold for what is new.")
        return HttpResponseRedirect(request.path)

    def own(self) -> NotificationSettings:
        found = NotificationSettings.objects.filter(user=self.user).first()
        return found or NotificationSettings(user=self.user)

    def page(self, form: SettingsForm) -> HttpResponse:
        context = {
            **site.each_context(self.request),
            "title": "What I am told",
            "form": form,
        }
        return render(self.request, "alerts/notification_settings.html", context)


@method_decorator(csrf_exempt, name="dispatch")
class Mute(View):
    """The link of a mail. Opening it changes nothing; a POST mutes, from here or from the mail
    program (RFC 8058), which has no session: the signature in the address is the proof.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            found = opened(kwargs["token"])
        except SignatureExpired:
            return render(request, "alerts/mute_expired.html", status=410)
        if found is None:
            raise Http404
        customer_id, user_id, self.what = found
        if self.what != ALL and self.what not in AlertType.values:
            raise Http404
        with tenant(customer_id):
            person = User.objects.filter(
                pk=user_id, customer=customer_id, is_active=True
            ).select_for_update()
            self.person = person.first()
            if self.person is None:
                raise Http404
            return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self.page(done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        user = self.person
        own = NotificationSettings.objects.filter(user=user).first()
        own = own or NotificationSettings(user=user)
        if self.what == ALL:
            own.mails_at_once = own.mails_digest = False
        else:
            own.muted_types = sorted({*own.muted_types, self.what})
        own.save()
        return self.page(done=True)

    def page(self, *, done: bool) -> HttpResponse:
        context = {
            "done": done,
            "email": self.person.email,  # type: ignore[union-attr]
            "label": "" if self.what == ALL else AlertType(self.what).label,
        }
        response = render(self.request, "alerts/mute.html", context)
        # The address is a proof, which other sites need not learn.
        response["Referrer-Policy"] = "no-referrer"
        return response
