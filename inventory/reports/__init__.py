"""Reports on stock beyond what is there now.

movement        stock at the ends of a period and between, and what was sold of it, by any group
trend           stock at the close of each day
classes         ABC
unsold          dead stock and phantom stock
filters         what they can be narrowed to
analysis        what their pages share: order, pages of rows, total
movement_pages,
product_pages   the pages: rows, columns, and words on what they mean
"""
