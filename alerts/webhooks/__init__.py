"""Events sent to addresses of the customers' own.

post        one POST to a stranger's address, which never reaches a machine of ours
signature   what proves to the receiver who sent it (Standard Webhooks)
queries     which events are due where, as deliveries of a table
deliver     the work of `manage.py send_notifications`
"""
