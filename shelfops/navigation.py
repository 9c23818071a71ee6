"""The shell's side bar and looks (Unfold's settings)."""

UNFOLD = {"SITE_TITLE": "ShelfOps", "SITE_HEADER": "ShelfOps"}
