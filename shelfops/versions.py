"""Forms of which two people may have the same one open: the second sees the other's values first.

A form sends back the version that it was made from (`_version`), and what it showed then
(`_seen`). If the row has another version by now, nothing is saved: the form returns with both
values of each field that differs, and is saved, over the newest version, once one of each is
chosen (`_choice_<field>`). The database compares the version again (tenancy/versions.py).
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist
from django.db.models import Model

from shelfops.tenancy.versions import Versioned, name_of_changer


@dataclass(frozen=True)
class Choice:
    """The two values of a field; `chosen` is "mine", "theirs" or, not yet, empty."""

    name: str
    label: str
    mine: str
    theirs: str
    chosen: str


@dataclass(frozen=True)
class Conflict:
    by: str
    at: datetime
    choices: list[Choice]

    @property
    def names(self) -> str:
        return ",".join(choice.name for choice in self.choices)


def key(value: Any) -> str:
    """What makes values the same to a form: not decimals at the end, nor parts of a second."""
    if value is None:
        return ""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return str(value)


class VersionedForm(forms.ModelForm):
    """The form of a Versioned row; a new row has nothing to compare."""

    conflict: Conflict | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = {
            name: key(column.value_from_object(self.instance))
            for name in self.fields
            if (column := self.column(name))
        }

    def column(self, name: str) -> Any:
        """The model's field of this name, or None."""
        try:
            return self.instance._meta.get_field(name)
        except FieldDoesNotExist:
            return None

    @property
    def is_new(self) -> bool:
        return bool(self.instance._state.adding)

    @property
    def row(self) -> Versioned:
        return cast(Versioned, self.instance)

    @property
    def version(self) -> str:
        """The version that a page with this form shows, for its hidden field."""
        if self.is_bound and not self.conflict:
            return str(self.data.get("_version", ""))
        return str(self.row.version)

    @property
    def seen(self) -> str:
        """What the person saw first, for the hidden field: it tells whose change is whose."""
        if self.is_bound:
            return str(self.data.get("_seen", ""))
        return json.dumps(self.kept)

    @property
    def seen_before(self) -> dict[str, Any]:
        try:
            seen = json.loads(self.data.get("_seen") or "{}")
        except ValueError:
            seen = None
        return seen if isinstance(seen, dict) else {}

    @property
    def changed_data(self) -> list[str]:
        """Fields whose value is another one, not only written in another way."""
        changed = super().changed_data
        if self.is_new:
            return changed
        values = getattr(self, "cleaned_data", {})
        return [
            name
            for name in changed
            if name in self.kept and (name not in values or self.differs(name))
        ]

    def differs(self, name: str) -> bool:
        return key(self.cleaned_data[name]) != self.kept[name]

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]
        if not self.is_new:
            self.compare()
            for name in self.kept:
                if name in self.cleaned_data and not self.differs(name):
                    self.keep(name)

    def compare(self) -> None:
        """Find out what there is to choose, and follow what was chosen."""
        differing = [name for name in self.kept if name in self.cleaned_data and self.differs(name)]
        if self.data.get("_version") == str(self.row.version):
            asked = str(self.data.get("_asked") or "").split(",")
            self.settle([name for name in differing if name in asked])
        elif any(self.is_touched(name) for name in differing):
            if not self.errors:  # what is wrong comes first; the old version is sent again then
                self.ask(differing)
        else:
            for name in differing:
                self.keep(name)

    @property
    def is_asking(self) -> bool:
        """Whether the choice is all that is wrong."""
        return bool(self.conflict) and list(self.errors) == [NON_FIELD_ERRORS]

    def ask(self, names: list[str]) -> None:
        choices = [self.choice(name) for name in names]
        self.conflict = Conflict(name_of_changer(self.row.changed_by), self.row.changed_at, choices)
        self.add_error(None, "Nothing is saved yet. Choose one value per field and save again.")

    def settle(self, names: list[str]) -> None:
        choices = [self.choice(name) for name in names]
        if not all(choice.chosen for choice in choices):
            self.ask(names)
            return
        if names:  # shown again if something else is wrong
            self.conflict = Conflict(
                name_of_changer(self.row.changed_by), self.row.changed_at, choices
            )
        for choice in choices:
            if choice.chosen == "theirs":
                self.keep(choice.name)

    def keep(self, name: str) -> None:
        """Let the field be what it is in the database, to its last decimal."""
        self.cleaned_data[name] = getattr(self.instance, name)

    def is_touched(self, name: str) -> bool:
        """Whether the person changed it, as far as the form says what it showed."""
        return key(self.cleaned_data[name]) != self.seen_before.get(name)

    def choice(self, name: str) -> Choice:
        mine, theirs = self.cleaned_data[name], getattr(self.instance, name)
        texts = self.text(name, mine), self.text(name, theirs)
        return Choice(name, str(self[name].label), *texts, self.chosen(name))

    def chosen(self, name: str) -> str:
        """What the person chose; else the value of whoever was alone to change it."""
        if (sent := self.data.get(f"_choice_{name}")) in ("mine", "theirs"):
            return str(sent)
        if not self.is_touched(name):
            return "theirs"
        return "mine" if self.seen_before.get(name) == self.kept[name] else ""

    def text(self, name: str, value: Any) -> str:
        """A value in words."""
        field = self.fields[name]
        if value is None or value == "":
            return "nothing"
        if isinstance(value, bool):
            return "Yes" if value else "No"
        if isinstance(value, datetime):
            return f"{value.astimezone(getattr(field, 'zone', UTC)):%-d %b %Y %H:%M %Z}"
        if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField):
            return str(dict(field.choices).get(value, value))  # type: ignore[arg-type]
        return key(value) if isinstance(value, Decimal) else str(value)


def entered(form: Any) -> list[tuple[str, str]]:
    """Label and value of what somebody entered into a form that has no row any more."""
    form.is_valid()
    found = []
    for name, field in form.fields.items():
        if isinstance(field.widget, forms.PasswordInput | forms.HiddenInput):
            continue
        raw = form[name].value()
        value = form.cleaned_data.get(name, raw)
        found.append((str(form[name].label), form.text(name, value)))
    return found
