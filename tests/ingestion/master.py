"""Files of master data, and shorthand to bring them in."""

# Texts that files and spreadsheets like to spoil.
NASTY = [
    "=1+1",
    "+1",
    "-5",
    "@x",
    "\tindented",
    "'quoted",
    "'=guarded already",
    'double "quotes" and, commas; semicolons',
    "two\nlines",
    "trailing spaces  ",
    "  leading spaces",
    "\U0001f34b lemon, caf\u00e9, \u5bff\u53f8",
    "00123",
    "1.23E+11",
    "TRUE",
    "NULL",
    "2026-03-31",
]
