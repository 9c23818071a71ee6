"""The pages of an import: the file, its columns, what it would do, and doing it."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.master import drafts
from shelfops.ingestion.master.drafts import KINDS
from shelfops.ingestion.master.files import FILE_LIMIT, MasterRows
from shelfops.ingestion.master.forms import ReadingForm, UploadForm
from shelfops.ingestion.master.kinds import Kind
from shelfops.ingestion.master.matching import matched
from shelfops.ingestion.master.preview import Line, pages_of
from shelfops.ingestion.models import ImportBatch, ImportDraft
from shelfops.serving.bodies import Taker, takes_files
from shelfops.tenancy.models import User

LINES_NAMED = 10
SAMPLES = 3
OUTCOMES = {"": "All", "created": "New", "changed": "Changed", "refused": "Refused"}


def shown(
    request: HttpRequest, template: str, kind: Kind, title: str, **context: Any
) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, "kind": kind, **context}
    return render(request, f"ingestion/{template}.html", context)


def own_draft(request: HttpRequest, draft_id: UUID) -> tuple[ImportDraft, Kind]:
    """The user's own draft, without the file; 404 for everybody else's."""
    drafts_ = ImportDraft.objects.of(request.user).defer("file")  # type: ignore[arg-type]
    draft = get_object_or_404(drafts_, pk=draft_id)
    return draft, permitted(request, KINDS[draft.kind])


def permitted(request: HttpRequest, kind: Kind) -> Kind:
    if not kind.may_import(request.user):
        raise PermissionDenied
    return kind


def may_import(user: User) -> bool:
    return any(kind.may_import(user) for kind in KINDS.values())


# Twice the limit, so that who sends a little too much is told so beside the field.
@takes_files(Taker(2 * FILE_LIMIT, may_import))
def upload(request: HttpRequest, kind: str) -> HttpResponse:
    chosen = permitted(request, KINDS[kind])
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = UploadForm(*sent)
    if form.is_valid() and (page := begin(request, chosen, form)):
        return page
    others = [each for each in KINDS.values() if each.may_import(request.user)]
    return shown(request, "master_upload", chosen, "Import", form=form, kinds=others)


def begin(request: HttpRequest, kind: Kind, form: UploadForm) -> HttpResponse | None:
    """The next page, or None with the problem at the form's file."""
    file = form.cleaned_data["file"]
    draft = None
    try:
        draft, match = drafts.start(kind, request.user, file.name, file.read())  # type: ignore[arg-type]
        if not match.is_clear or len(draft.reading["sheets"]) > 1:
            return redirect("master:columns", draft.pk)
        drafts.compare(draft, request.user)  # type: ignore[arg-type]
    except FileProblem as problem:
        if draft:
            draft.delete()
        form.add_error("file", str(problem))
        return None
    return redirect("master:preview", draft.pk)


def columns(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    draft, kind = own_draft(request, draft_id)
    file = MasterRows(drafts.content_of(draft), draft.reading)
    match = matched(kind, file.header)
    form = ReadingForm(kind, file.header, samples(file), draft.reading, request.POST or None)
    if request.method == "POST" and form.is_another_text:
        return read_anew(request, draft, kind, form)
    if request.method == "POST" and form.is_valid():
        draft.reading = form.chosen_reading
        try:
            drafts.compare(draft, request.user)  # type: ignore[arg-type]
            return redirect("master:preview", draft.pk)
        except FileProblem as problem:
            form.add_error(None, str(problem))
    fields = [(form[field.name], match.doubts.get(field.name, "")) for field in kind.fields]
    reading = [form[name] for name in ("decimal", "sheet", "encoding") if name in form.fields]
    return shown(
        request,
        "master_columns",
        kind,
        "Columns",
        draft=draft,
        form=form,
        fields=fields,
        reading=reading,
        unknown=match.unknown,
    )


def samples(file: MasterRows) -> dict[str, str]:
    """The first values of each column, by its heading."""
    width = range(len(file.header))
    try:
        group = next(file.rows(list(width)), None)
    except FileProblem:
        group = None
    found = {}
    for index, name in enumerate(file.header):
        values = group.columns[index][:SAMPLES].to_pylist() if group else []
        found[name] = ", ".join(value[:30] for value in values if value)
    return found


def read_anew(
    request: HttpRequest, draft: ImportDraft, kind: Kind, form: ReadingForm
) -> HttpResponse:
    """Another sheet, or other characters, has other headings: they are matched again."""
    reading = {**draft.reading, "columns": {}}
    reading |= {name: form.data.get(name, "") for name in ("sheet", "encoding")}
    try:
        header = MasterRows(drafts.content_of(draft), reading).header
    except FileProblem as problem:
        messages.error(request, str(problem))
        return redirect("master:columns", draft.pk)
    draft.reading = {**reading, "columns": matched(kind, header).columns}
    draft.compared_at = None
    draft.save(update_fields=["reading", "compared_at"])
    messages.info(request, "The file was read anew. Check its columns.")
    return redirect("master:columns", draft.pk)


@require_safe
def preview(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    draft, kind = own_draft(request, draft_id)
    if draft.compared_at is None:
        return redirect("master:columns", draft.pk)
    counts = {
        "": draft.rows_to_apply + draft.rows_refused,
        "created": draft.rows_created,
        "changed": draft.rows_changed,
        "refused": draft.rows_refused,
    }
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in OUTCOMES else ""
    pages = pages_of(request, counts[outcome])
    lines = [Line(kind, row) for row in drafts.page(draft, outcome, pages.number)]
    tabs = [
        {"label": label, "count": counts[key], "key": key, "chosen": key == outcome}
        for key, label in OUTCOMES.items()
    ]
    return shown(
        request,
        "master_preview",
        kind,
        f"Import of {draft.source}",
        draft=draft,
        lines=lines,
        tabs=tabs,
        pages=pages,
        outcome=outcome,
        zone_changes=drafts.zone_changes(draft),
    )


def apply(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    user = request.user
    own = ImportDraft.objects.of(user).defer("file")  # type: ignore[arg-type]
    draft = own.select_for_update().filter(pk=draft_id).first()
    if draft is None:
        return applied_already(request, draft_id)
    permitted(request, KINDS[draft.kind])
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if problem := reason_to_wait(request, draft):
        messages.error(request, problem)
        return redirect("master:preview", draft.pk)
    try:
        batch = drafts.apply(draft, user)  # type: ignore[arg-type]
    except drafts.Changed as changed:
        drafts.compare(draft, user)  # type: ignore[arg-type]
        messages.warning(request, told(changed))
        return redirect("master:preview", draft.pk)
    messages.success(request, summary(batch))
    return redirect("admin:ingestion_importbatch_change", batch.pk)


def applied_already(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """The answer to a second click; 404 where there was no such draft of this user's."""
    email = request.user.email  # type: ignore[union-attr]
    batch = ImportBatch.objects.filter(metadata__draft=str(draft_id), imported_by=email).first()
    if batch is None:
        raise Http404
    messages.info(request, f"{batch.source} was applied already.")
    return redirect("admin:ingestion_importbatch_change", batch.pk)


def reason_to_wait(request: HttpRequest, draft: ImportDraft) -> str:
    if draft.compared_at is None or request.POST.get("seen") != draft.compared_at.isoformat():
        return "The file was compared again since you looked at it. Look at it as it is now."
    if not draft.rows_to_apply:
        return "There is nothing to apply."
    if draft.rows_refused and not request.POST.get("leave_out"):
        return (
            f"{draft.rows_refused:,} rows are refused. Correct them in the file and upload it"
            " again, or tick that they are left out."
        )
    if not request.POST.get("from_tomorrow") and drafts.zone_changes(draft):
        return "Tick that the new time zones hold from tomorrow on, or leave them out of the file."
    return ""


def told(changed: drafts.Changed) -> str:
    named = ", ".join(map(str, changed.lines[:LINES_NAMED]))
    more = len(changed.lines) - LINES_NAMED
    where = f" (lines {named}{f' and {more:,} more' if more > 0 else ''})" if named else ""
    return (
        f"Nothing was applied: somebody has changed the same{where} since you looked. Everything"
        " was compared again with what is there now; look at it and apply it once more."
    )


def summary(batch: ImportBatch) -> str:
    left_out = f", {batch.rows_refused:,} left out" if batch.rows_refused else ""
    return (
        f"{batch.source}: {batch.rows_inserted:,} new, {batch.rows_changed:,} changed,"
        f" {batch.rows_present:,} as they were{left_out}."
    )


def discard(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    draft, kind = own_draft(request, draft_id)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    draft.delete()
    messages.info(request, f"{draft.source} was discarded; nothing was changed.")
    return redirect(reverse(f"master:{kind.name}"))
