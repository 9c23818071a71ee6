"""The data quality report: what is missing in the feeds or wrong with the rows."""
