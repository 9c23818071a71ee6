from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "shelfops.ingestion"
    label = "ingestion"
    verbose_name = "Feeds"

    def ready(self) -> None:
        from shelfops.ingestion.master import undo

        undo.register()
