"""How requests reach the application: no slow or oversized one may keep others waiting."""
