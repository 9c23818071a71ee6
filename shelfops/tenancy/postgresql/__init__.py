"""Django's PostgreSQL backend, and the identity of its transactions."""
