"""Django's database router."""


class OwnerMigrates:
    """Only the owner's connection may change the schema."""

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == "owner"

    def allow_relation(self, first: object, second: object, **hints: object) -> bool:
        """All three aliases are log-ins to one database."""
        return True
