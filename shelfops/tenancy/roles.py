"""The five roles and what each may do.

Permissions are Django's own names (`app.action_model`), so that the admin asks the questions
it always asks. What is not listed is not allowed. Reports have names of their own.
"""

from django.db import models


class Role(models.TextChoices):
    OPERATOR = "operator", "Platform operator"
    ADMIN = "admin", "Customer admin"
    MANAGER = "manager", "Store manager"
    STAFF = "staff", "Staff"
    ANALYST = "analyst", "Analyst"


# Roles that see only the stores they are assigned to; the others see all of the customer's.
STORE_SCOPED = {Role.MANAGER, Role.STAFF}


def _views(*models_: str) -> set[str]:
    return {f"{app}.view_{model}" for app, model in (name.split(".") for name in models_)}


_STOCK = _views("inventory.store", "inventory.product", "inventory.reorderpoint") | _views(
    "inventory.inventorylevel", "inventory.currentstock"
)
_REPORTS = {"reports.sales", "reports.stock", "reports.stock_analysis", "reports.quality"}
_STAFF = _STOCK | _views("alerts.alert") | {"alerts.work_alert", "reports.stock"}
_ANALYST = _STOCK | _views("sales.transaction", "sales.forecast") | _REPORTS
_MANAGER = (
    _STAFF
    | _ANALYST
    | _views("alerts.anomaly", "ingestion.importbatch", "ingestion.refusedrow")
    | {
        "alerts.view_alertrule",
        "alerts.add_alertrule",
        "alerts.change_alertrule",
        "alerts.delete_alertrule",
        "inventory.add_product",
        "inventory.change_product",
        "inventory.add_reorderpoint",
        "inventory.change_reorderpoint",
        "ingestion.add_importbatch",
        "ingestion.undo_importbatch",
    }
)
_ADMIN = (
    _MANAGER
    | _views("tenancy.user", "tenancy.login", "tenancy.customeraccess")
    | _views("alerts.webhookendpoint", "alerts.webhookdelivery", "alerts.mail")
    | {
        "alerts.add_webhookendpoint",
        "alerts.change_webhookendpoint",
        "inventory.add_store",
        "inventory.change_store",
        "inventory.view_storeassignment",
        "inventory.add_storeassignment",
        "inventory.change_storeassignment",
        "inventory.delete_storeassignment",
        "tenancy.add_user",
        "tenancy.change_user",
    }
)
# What an operator may do without acting as a customer. While acting, they are its admin.
_OPERATOR = {
    "tenancy.view_customer",
    "tenancy.add_customer",
    "tenancy.change_customer",
    "tenancy.act_as_customer",
}

PERMISSIONS: dict[str, frozenset[str]] = {
    Role.OPERATOR: frozenset(_OPERATOR),
    Role.ADMIN: frozenset(_ADMIN),
    Role.MANAGER: frozenset(_MANAGER),
    Role.STAFF: frozenset(_STAFF),
    Role.ANALYST: frozenset(_ANALYST),
}


def permissions_of(role: str, *, acting: bool = False) -> frozenset[str]:
    """What `role` may do; nothing for a role that is not known."""
    if acting and role == Role.OPERATOR:
        role = Role.ADMIN
    return PERMISSIONS.get(role, frozenset())
