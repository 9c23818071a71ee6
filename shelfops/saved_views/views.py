"""Saving, renaming, replacing and deleting a view; each leads back to what was shown."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import Resolver404, resolve, reverse
from django.views import View

from shelfops.saved_views import NO_VIEW
from shelfops.saved_views.models import MOST_CHARACTERS, SavedView
from shelfops.saved_views.page import SavedViews, filters_of
from shelfops.tenancy.models import User

MOST_VIEWS = 50


class NameForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        error_messages={
            "required": "Give the view a name.",
            "max_length": "The name of a view has at most 100 characters.",
        },
    )


class ShownForm(forms.Form):
    """What the user was looking at: the address of a page that has saved views, and its filters."""

    path = forms.CharField()
    query = forms.CharField(required=False, max_length=4 * MOST_CHARACTERS)

    def clean_path(self) -> str:
        path: str = self.cleaned_data["path"]
        try:
            match = resolve(path)
        except Resolver404:
            raise forms.ValidationError("There is no such page.") from None
        if not issubclass(getattr(match.func, "view_class", object), SavedViews):
            raise forms.ValidationError("This page has no saved views.")
        self.page = match.view_name
        return path

    def clean_query(self) -> str:
        query = filters_of(QueryDict(self.cleaned_data["query"]))
        if len(query) > MOST_CHARACTERS or "%00" in query:
            raise forms.ValidationError("These filters are too many to be saved.")
        return query


class Change(View):
    """For the customer's own people; POST only."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(reverse("admin:index"))
        user: Any = request.user
        if user.is_operator:
            raise PermissionDenied
        self.user: User = user
        self.find(**kwargs)
        return super().dispatch(request, *args, **kwargs)

    def find(self, **kwargs: Any) -> None:
        """What the address names; Http404 where it is not the user's."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        shown = ShownForm(request.POST)
        if not shown.is_valid():
            raise BadRequest(shown.errors.as_text())
        # One change of a person's views at a time, so that two windows make no two defaults.
        User.objects.select_for_update().get(pk=self.user.pk)
        name = NameForm(request.POST)
        self.change(shown.page, shown.cleaned_data["query"], name)
        query = shown.cleaned_data["query"] or NO_VIEW
        return HttpResponseRedirect(f"{shown.cleaned_data['path']}?{query}")

    def change(self, page: str, query: str, name: NameForm) -> None:
        raise NotImplementedError

    def own(self, page: str) -> Any:
        return SavedView.objects.filter(user=self.user.pk, page=page)

    def make_default(self, view: SavedView) -> None:
        self.own(view.page).exclude(pk=view.pk).update(is_default=False)
        self.own(view.page).filter(pk=view.pk).update(is_default=True)

    def refuse(self, reason: str) -> None:
        messages.error(self.request, reason)

    def done(self, what: str) -> None:
        messages.success(self.request, what)


class Save(Change):
    """Keeps what is shown under a new name."""

    def change(self, page: str, query: str, name: NameForm) -> None:
        if not name.is_valid():
            return self.refuse(str(name.errors["name"][0]))
        views = list(self.own(page))
        wanted = name.cleaned_data["name"]
        if wanted in {view.name for view in views}:
            return self.refuse(
                f"You have a view “{wanted}” here. Choose another name, or open Change beside it"
                " and replace it."
            )
        if len(views) >= MOST_VIEWS:
            return self.refuse(f"A page keeps {MOST_VIEWS} views. Delete one first.")
        view = SavedView.objects.create(user=self.user, page=page, name=wanted, query=query)
        if self.request.POST.get("default"):
            self.make_default(view)
        self.done(f"“{wanted}” is saved.")


class ChangeView(Change):
    """Renames, replaces or deletes a view, or opens the page with it: whatever button was used."""

    def find(self, **kwargs: Any) -> None:
        view_id: UUID = kwargs["view_id"]
        self.view = get_object_or_404(SavedView, pk=view_id, user=self.user.pk)

    def change(self, page: str, query: str, name: NameForm) -> None:
        changes = {
            "rename": lambda: self.rename(name),
            "replace": lambda: self.replace(query),
            "default": self.set_default,
            "no-default": self.unset_default,
            "delete": self.delete,
        }
        change = changes.get(self.request.POST.get("change", ""))
        if change is None or page != self.view.page:
            raise BadRequest("The form names no change of a view of this page.")
        change()

    def rename(self, name: NameForm) -> None:
        if not name.is_valid():
            return self.refuse(str(name.errors["name"][0]))
        old, self.view.name = self.view.name, name.cleaned_data["name"]
        try:
            with transaction.atomic():
                self.view.save(update_fields=["name"])
        except IntegrityError:
            return self.refuse(f"You have a view “{self.view.name}” here. Choose another name.")
        self.done(f"“{old}” is now called “{self.view.name}”.")

    def replace(self, query: str) -> None:
        self.view.query = query
        self.view.save(update_fields=["query"])
        self.done(f"“{self.view.name}” now holds the filters shown here.")

    def set_default(self) -> None:
        self.make_default(self.view)
        self.done(f"This page now opens with “{self.view.name}”.")

    def unset_default(self) -> None:
        self.view.is_default = False
        self.view.save(update_fields=["is_default"])
        self.done("This page now opens without a saved view.")

    def delete(self) -> None:
        self.view.delete()
        self.done(f"“{self.view.name}” is deleted.")
