from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "shelfops.tenancy"
    label = "tenancy"
    verbose_name = "Organisation"

    def ready(self) -> None:
        from shelfops.tenancy import checks  # noqa: F401  (registers them)
