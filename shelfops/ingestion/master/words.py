"""Values as a file has them, and texts that no spreadsheet takes for a formula."""

import re
from datetime import datetime, time
from zoneinfo import ZoneInfo

# What a spreadsheet would work out, behind any number of the signs that keep it from that.
FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
# The same in a file that comes in, with one sign to take away: FORMULA behind the sign.
GUARDED = r"^'('*[=+\-@\t\r\n])"

# An identifier that a spreadsheet took for a large number: 1.23E+11.
SHORTENED = r"^\d(\.\d+)?[eE]\+\d{2,3}$"
YES, NO = ["yes", "y", "true", "t", "1", "on", "x"], ["no", "n", "false", "f", "0", "off"]
# What does not count at the ends of a text.
SPACES = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())


def guarded(text: str) -> str:
    """Text that a spreadsheet takes for text; GUARDED replaced by its group gives it back."""
    return f"'{text}" if FORMULA.match(text) else text


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def clock_of(moment: datetime | None, zone: str) -> str | None:
    """The store's clock with its offset, to the microsecond; the date alone at midnight."""
    if moment is None:
        return None
    local = moment.astimezone(ZoneInfo(zone))
    starts_the_day = local.time() == time.min and local.fold == 0
    return local.date().isoformat() if starts_the_day else local.isoformat(sep=" ")
