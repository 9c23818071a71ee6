"""Which column of a file is which field: by name, by a similar name, or by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from shelfops.ingestion.columns import simplified
from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.refused import HEAD


@dataclass
class Match:
    """The heading for each field's name that one was found for.

    `doubts` says, by field, why a person should look; `unknown` are headings that are nothing.
    """

    columns: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def is_clear(self) -> bool:
        return not self.doubts and not self.unknown


def matched(kind: Kind, header: Sequence[str]) -> Match:
    """Own names come before other common ones, and those before similar ones."""
    match = Match()
    passed_over = {simplified(name) for name in [*HEAD, *(note.label for note in kind.notes)]}
    left = [name for name in header if simplified(name) not in passed_over]
    for each in kind.fields:
        settle(match, each, [name for name in left if is_own(each, name)], left)
    for each in kind.fields:
        if each.name not in match.columns:
            settle(match, each, [name for name in left if each.is_called(name)], left)
    for each in kind.fields:
        if each.name not in match.columns and each.name not in match.doubts:
            guess(match, each, left)
    match.unknown = left
    return match


def is_own(each: Field, heading: str) -> bool:
    return simplified(heading) in {simplified(each.name), simplified(each.label)}


def settle(match: Match, each: Field, found: list[str], left: list[str]) -> None:
    if len(found) == 1:
        match.columns[each.name] = found[0]
        left.remove(found[0])
    elif found:
        match.doubts[each.name] = f"Several columns could be this: {', '.join(found)}."


def guess(match: Match, each: Field, left: list[str]) -> None:
    """A name with a slip of the pen in it; and whatever is needed but not there."""
    names = {simplified(name): name for name in left}
    similar = get_close_matches(simplified(each.label), names, n=1, cutoff=0.8)
    if similar:
        heading = names[similar[0]]
        match.columns[each.name] = heading
        match.doubts[each.name] = f"Is {heading} meant?"
        left.remove(heading)
    elif each.required:
        match.doubts[each.name] = "The file has no column of this name."
