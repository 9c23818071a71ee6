"""The kinds of master data, and what a file says of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shelfops.ingestion.columns import Column

Row = dict[str, Any]
STAGED: dict[str | int, str] = {"text": "text", "integer": "integer"}


@dataclass(frozen=True)
class Field(Column):
    """A column of a file, as exported and imported.

    `label` is its header, which simplifies to its name. `path` is where the list's rows have it;
    `shown` makes the exported value of a row of paths. `hint` tells what a cell may hold.
    What a line is about is in its keys.
    """

    label: str = ""
    path: str = ""
    hint: str = ""
    shown: Callable[[Row], Any] | None = None
    is_key: bool = False

    @property
    def is_text(self) -> bool:
        return self.kind in ("text", "time")

    @property
    def staged(self) -> dict[str, str]:
        """The columns that it fills in the staging table, and their types."""
        if self.is_key:
            return {self.name: "text", f"{self.name}_exact": "text"}
        if self.kind == "time":
            return {self.name: "timestamptz", "local_time": "timestamp"}
        return {self.name: STAGED.get(self.kind, "numeric")}

    def value(self, row: Row) -> Any:
        return self.shown(row) if self.shown else row[self.path]


@dataclass(frozen=True)
class Kind:
    """Products, stores or reorder points.

    `identity` is what no two lines of a file share.
    `fields` come in with a file; `notes` are columns that the export adds for its reader and the
    import passes over. `reads` are further paths that the exported values need.
    """

    name: str
    title: str
    one: str
    many: str
    identity: str
    fields: tuple[Field, ...]
    changelist: str
    permissions: tuple[str, ...]
    layout: tuple[str, ...]
    notes: tuple[Field, ...] = ()
    reads: tuple[str, ...] = ()
    sql: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[Field]:
        """What an exported file has, in its order."""
        by_name = {each.name: each for each in (*self.fields, *self.notes)}
        return [by_name[name] for name in self.layout]

    @property
    def paths(self) -> list[str]:
        return [each.path for each in self.columns] + list(self.reads)

    def may_import(self, user: Any) -> bool:
        return all(user.has_perm(permission) for permission in self.permissions)
