"""What a browser would send of the form on a page, as it stands there."""

from html.parser import HTMLParser
from typing import Any


class _Fields(HTMLParser):
    """Collects the fields of the form with this id; the first of a name that repeats counts."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id, self.inside, self.fields = form_id, False, {}
        self.select: str | None = None
        self.area: str | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        of = dict(attrs)
        if tag == "form":
            self.inside = of.get("id") == self.form_id
        if not self.inside or "disabled" in of:
            return
        name = of.get("name")
        if tag == "input" and name:
            self.take_input(of, name)
        elif tag == "select":
            self.select = name
        elif (
            tag == "option" and self.select and ("selected" in of or self.select not in self.fields)
        ):
            self.fields[self.select] = of.get("value", "")
        elif tag == "textarea" and name:
            self.area, self.fields[name] = name, ""

    def take_input(self, of: dict[str, Any], name: str) -> None:
        kind = of.get("type", "text")
        if kind in ("submit", "button", "image", "reset"):
            return
        if kind not in ("checkbox", "radio") or "checked" in of:
            self.fields[name] = of.get("value") or ("on" if kind == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area] += data


def fields_of(response: Any, form_id: str) -> dict[str, str]:
    parser = _Fields(form_id)
    parser.feed(response.content.decode())
    return {name: value for name, value in parser.fields.items() if name != "csrfmiddlewaretoken"}
