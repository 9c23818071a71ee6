"""What makes a password easy to guess for whoever knows the person or the company."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

# What stands for a letter in passwords that should look harder than they are.
LETTERS = str.maketrans("@4031!5$7", "aaoellsst")
# Of a password that holds a name, this much has to be something else.
REST = 8


def plain(text: str) -> str:
    """Letters and digits alone, without case, accents, or signs in place of letters."""
    bare = unicodedata.normalize("NFKD", text).casefold().translate(LETTERS)
    return "".join(filter(str.isalnum, bare))


class Common(CommonPasswordValidator):
    """Refuses passwords that many people have, also with digits and marks around them."""

    def validate(self, password: str, user: Any = None) -> None:
        super().validate(password, user)
        core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password.lower())
        if not core or {core, plain(core)} & self.passwords:
            raise ValidationError(
                "This password is a common one with digits or marks around it.",
                code="password_too_common",
            )


class OwnNames:
    """Refuses passwords that are little more than a name which belongs to the person."""

    def validate(self, password: str, user: Any = None) -> None:
        rest = whole = plain(password)
        for name in sorted(set(names(user)), key=len, reverse=True):
            rest = rest.replace(name, "")
        if rest != whole and len(rest) < REST:
            raise ValidationError(
                "This password is little more than the person's name or address, or the name of"
                " the company. Others guess that first.",
                code="password_own_name",
            )

    def get_help_text(self) -> str:
        return "Your password can't be made of your name, your address or your company's name."


def names(user: Any) -> Iterator[str]:
    """The product's, the company's, the person's and the address's, whole and in parts."""
    address, _, domain = str(getattr(user, "email", "")).rpartition("@")
    company = getattr(user, "customer", None)
    for text in ("ShelfOps", str(company or ""), str(getattr(user, "name", "")), address):
        yield from filter(worth_it, map(plain, (text, *re.split(r"[\W_]+", text), *text.split())))
    labels = domain.split(".")[:-1]
    yield from filter(worth_it, map(plain, labels))


def worth_it(name: str) -> bool:
    return len(name) > 2
