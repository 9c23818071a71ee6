from django.apps import AppConfig


class TimescaleConfig(AppConfig):
    name = "shelfops.timescale"
    label = "timescale"
    verbose_name = "TimescaleDB"
