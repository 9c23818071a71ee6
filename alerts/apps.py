from django.apps import AppConfig

from shelfops.ingestion.signals import import_finished


class AlertsConfig(AppConfig):
    name = "alerts"
    verbose_name = "Alerts"

    def ready(self) -> None:
        from alerts.imports import evaluate_import

        import_finished.connect(evaluate_import, dispatch_uid="alerts")
