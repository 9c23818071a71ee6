"""What a rule's threshold means, by type, in words."""

from decimal import Decimal

from alerts.models import AlertType

# The label of the threshold, what it is, and how a value of it reads.
THRESHOLDS: dict[str, tuple[str, str, str]] = {
    AlertType.STOCKOUT: ("Available units", "Holds at or below.", "at most {} available"),
    AlertType.LOW_STOCK: (
        "% of the reorder point",
        "Holds at or below; 100 is the reorder point in force itself.",
        "at most {} % of the reorder point",
    ),
    AlertType.OVERSTOCK: (
        "Days of cover",
        "Holds above; cover is what is available by the units sold a day in 28 days.",
        "cover of more than {} days",
    ),
    AlertType.DEAD_STOCK: (
        "Days without a sale",
        "Holds from so many days on, with stock on hand. At most 365.",
        "no sale for {} days",
    ),
    AlertType.PHANTOM_STOCK: (
        "Usual intervals between sales missed",
        "Holds from so many on, with stock on hand: of a product that sells every other day, 7"
        " are 14 days. By chance 5 are missed in 1 of 150 cases, 7 in 1 of 1,100.",
        "no sale for {} usual intervals",
    ),
    AlertType.FEED_GAP: (
        "Hours late",
        "Holds when no sales have come in for so many hours more than the store's own rhythm"
        " explains.",
        "sales late by {} hours",
    ),
}


def reading(alert_type: str, threshold: Decimal) -> str:
    """The condition in words."""
    return THRESHOLDS[alert_type][2].format(f"{threshold.normalize():f}")


def part(department: str, category: str) -> str:
    return category or department or "all products"
