"""Where people work their alerts.

filters    which alerts are shown, in the URL
queries    the list, the counts and the page of an alert
views      the list and the page
actions    what people do there: a form for each transition
words      figures, rules and events as people read them
"""
