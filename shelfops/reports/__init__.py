"""What all reports share. A report is one query, one filter form and one template.

views.Report     the page: permission, filters, files; a report says how to `build` its content
filters          date range and stores, in the URL
period           ranges of business days
table, chart,
heat             what is shown, made of the same rows
export, workbook a table as CSV, as XLSX
sql              rows of a statement
"""
