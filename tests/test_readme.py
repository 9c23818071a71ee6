"""What a reader of the README is not told, they cannot know."""

import re
from pathlib import Path

from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = ("shelfops", "inventory", "sales", "alerts")


def test_it_documents_every_command() -> None:
    ours = {name for name, app in get_commands().items() if str(app).split(".")[0] in OURS}
    assert {"run", "embedded", "load_complete_journey"} <= ours
    assert {name for name in ours if not re.search(rf"`{name}\b", README)} == set()


def test_it_documents_every_setting() -> None:
    settings = (ROOT / "shelfops" / "settings.py").read_text(encoding="utf-8")
    read = r"(?:boolean|whole_number|secret|log_level|env\.\w+)\(\s*\"([A-Z_]+)\""
    names = set(re.findall(read, settings)) | set(re.findall(r": \"(DATABASE_\w+)\"", settings))
    assert len(names) >= 9
    assert {name for name in names if f"`{name}`" not in README} == set()


def test_it_shows_files_that_exist() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    assert [path for path in pictures if not (ROOT / path).is_file()] == []
