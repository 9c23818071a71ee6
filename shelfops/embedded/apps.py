from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "shelfops.embedded"
    verbose_name = "Embedded database engine"
