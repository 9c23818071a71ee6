"""Who is told what: in the product, by e-mail at once, or in a daily digest.

queries    who is told of which events, as rows; mails as an outbox
send       the work of `manage.py send_notifications`
mails      what a mail says
views      the bell's page, a person's choices, muting from a mail
"""
