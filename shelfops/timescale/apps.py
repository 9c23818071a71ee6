from django.apps import AppConfig


class TimescaleConfig(AppConfig):
    name = "shelfops.timescale"
    label = "timescale"
    verbose_name = "TimescaleDB"

    def ready(self) -> None:
        from shelfops.timescale import checks  # noqa: F401  (registers it)
