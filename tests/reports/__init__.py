"""Reports, against figures that are worked out in plain Python from the rows a test inserted."""
