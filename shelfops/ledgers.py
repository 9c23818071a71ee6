"""Lists over hypertables: a bounded period, newest first, no count, no join, no detail page."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.admin import ListFilter
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone
from unfold.widgets import INPUT_CLASSES

from inventory.models import Product
from sales.days import last_business_day
from shelfops.admin import (
    LookAheadPage,
    LookAheadPaginator,
    PagedChangeList,
    ReadOnlyAdmin,
    StoreFilter,
    store_ids,
)

# No ledger holds other days, and a day more or less is still a date.
OLDEST, NEWEST = date(2000, 1, 1), date(2100, 1, 1)


def midnight(day: date) -> datetime:
    """The start of `day` in UTC: aware, so that chunks are excluded."""
    return datetime.combine(day, time.min, UTC)


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"class": " ".join(INPUT_CLASSES)})


class PeriodForm(forms.Form):
    start = forms.DateField(label="From", widget=DayInput())
    end = forms.DateField(label="To, inclusive", widget=DayInput())

    def __init__(self, data: dict[str, Any], max_days: int) -> None:
        super().__init__(data)
        self.max_days = max_days

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        for name, day in data.items():
            if not OLDEST <= day < NEWEST:
                raise ValidationError({name: "Choose a day of this century."})
        if "start" in data and "end" in data:
            if data["end"] < data["start"]:
                raise ValidationError({"end": "The period ends before it starts."})
            if (data["end"] - data["start"]).days >= self.max_days:
                raise ValidationError({"end": f"Choose at most {self.max_days} days at once."})
        return data


class PeriodFilter(ListFilter):
    """The days shown. Always set, so that a page never reads the whole history."""

    title = "period"
    template = "admin/period_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any):
        super().__init__(request, params, model, model_admin)
        first, last = model_admin.default_period(request)
        given = {
            name: params.pop(name)[-1] for name in self.expected_parameters() if name in params
        }
        self.form = PeriodForm({"start": first, "end": last, **given}, model_admin.max_days)
        self.is_given = bool(given)
        self.days = model_admin.days
        if self.form.is_valid():
            first, last = self.form.cleaned_data["start"], self.form.cleaned_data["end"]
        self.first, self.last = first, last

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return ["start", "end"]

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {"form": self.form}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(self.days(self.first, self.last))


class LedgerPaginator(LookAheadPaginator):
    max_pages = 100


class LedgerList(PagedChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        """By time alone: the key is worked out for every row, so it cannot be sorted by."""
        return list(self.model_admin.ordering)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Without the key, which is a digest made for each row of the period."""
        fields = [f.attname for f in self.opts.concrete_fields if not f.primary_key]
        return super().get_queryset(request, exclude_parameters).values(*fields)

    def rows(self, page: LookAheadPage) -> list[Any]:
        return [self.model(**row) for row in page.object_list]

    @property
    def period(self) -> PeriodFilter:
        return next(spec for spec in self.filter_specs if isinstance(spec, PeriodFilter))


class LedgerAdmin(ReadOnlyAdmin):
    """A read-only list over a hypertable of millions of rows."""

    list_before_template = "admin/period.html"
    list_display_links = None
    list_related = ("store", "product")
    list_filter = (PeriodFilter, ("store", StoreFilter))
    paginator = LedgerPaginator
    search_fields = ("product__sku",)
    search_help_text = "Exact SKU"
    sortable_by = ()
    store_lookup = "store"
    empty_text = "Nothing was recorded in this period. Choose another one with the filters."
    # A text column that the search also looks into, for an exact match.
    search_column = ""
    max_days = 31

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerList]:
        return LedgerList

    def get_urls(self) -> list[Any]:
        """The list alone: a row's key cannot be looked up without reading everything."""
        return [url for url in super().get_urls() if str(url.name).endswith("_changelist")]

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise Http404

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not (term := search_term.strip()):
            return queryset, False
        found = Q(
            product_id__in=list(Product.objects.filter(sku=term).values_list("pk", flat=True))
        )
        if self.search_column:
            found |= Q(**{self.search_column: term})
        return queryset.filter(found), False

    def default_period(self, request: HttpRequest) -> tuple[date, date]:
        """The last 7 business days that have sales, and what has come in since."""
        last = last_business_day(store_ids(request.user))  # type: ignore[arg-type]
        first = last - timedelta(days=6)
        return first, min(timezone.now().date(), first + timedelta(days=self.max_days - 1))

    def days(self, first: date, last: date) -> Q:
        """The rows of these days, with bounds on the time column that exclude chunks."""
        raise NotImplementedError
