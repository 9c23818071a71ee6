"""What others may want to know of imports. Ingestion knows none of them."""

from django.dispatch import Signal

# Sent with `batch` once an import's rows are in, and in the aggregates. What a receiver raises is
# logged and does not make the import fail.
import_finished = Signal()
