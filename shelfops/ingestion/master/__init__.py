"""Master data in files: products, stores and reorder points, as people keep them in spreadsheets.

A file that is uploaded becomes a draft: each of its rows compared with what is there. What the
draft shows is applied as a whole, and can be undone. The lists export files that import back.
"""
