"""What the checks cannot judge by its form, as somebody has read it, and why it is right.

A check names what is not here, with the line to add. Add it only after reading it with one
question: can it show or change a row of another customer?
"""

# Tables of schema public that hold nothing of a customer.
UNGUARDED = {
    "public.django_migrations": "names of migrations",
    "public.django_content_type": "names of models",
    "public.auth_permission": "names of permissions",
    "public.auth_group": "not used: roles are fixed",
    "public.auth_group_permissions": "not used: roles are fixed",
}

# Permissive policies that let more through than the customer's own rows, as PostgreSQL prints them
# while nothing but pg_catalog is on the search path.
OWN = "(customer_id = ( SELECT public.current_customer_id() AS current_customer_id))"
MINE = "(user_id = ( SELECT public.current_user_id() AS current_user_id))"
BY_NOBODY = f"({OWN} OR ((customer_id IS NULL) AND {MINE}))"
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    # An operator who is logged in, by a function that reads the user's own row.
    "customers_logged_in_operator": (
        "( SELECT public.current_user_is_operator() AS current_user_is_operator)",
    ),
    # What an operator did outside any customer is their own to see.
    "django_admin_log_tenant": (BY_NOBODY,),
    "log_ins_tenant": (BY_NOBODY,),
    # A session is seen by the digest of its key, signed by the web.
    "django_session_tenant": (
        "((session_key)::text = ( SELECT public.current_session_key() AS current_session_key))",
    ),
    # One's own row, and before that, to read, the row of the address that is tried.
    "users_tenant": (
        f"({OWN} OR {MINE})",
        f"({OWN} OR {MINE} OR (user_id ="
        " ( SELECT public.current_login_user_id() AS current_login_user_id)))",
    ),
}

# Functions and rules that work with their owner's rights. The digits change with every change of
# the definition or of its owner: whoever changes one reads it again.
REVIEWED: dict[str, str] = {
    # the customer is the transaction's, not the writer's to name
    "rule forecasts_insert on public.forecasts": "248077673c82f346",
    # as above
    "rule inventory_levels_insert on public.inventory_levels": "2a5aa0433a1f0eda",
    # as above
    "rule transactions_insert on public.transactions": "50ecd070c3e7bb4e",
    # reads and writes tables and views under the owner's own policies
    "public.evaluate_alerts(text,timestamp with time zone,uuid[])": "ef78cd038c48e0a4",
    # tells which weeks have a chunk, of all customers together
    "public.first_without_chunk(text,timestamp with time zone[])": "2ac4d91071aabd33",
    # counts under keys that only who knows SECRET_KEY can work out
    "public.login_attempt(bytea,bytea)": "25bd02d89cc97bf9",
    # as above
    "public.login_failed(bytea)": "f0ab01d9c5581e97",
    # as above
    "public.login_succeeded(bytea)": "fe3edfb814e418c7",
    # makes empty chunks of two ledgers, 106 at most
    "public.make_chunks(text,timestamp with time zone)": "c379338ddc7bcdb7",
    # adds a row of the current customer's and takes it away again
    "public.open_chunks(text,timestamp with time zone,timestamp with time zone)": (
        "5a6a501264a57e00"
    ),
    # under the owner's policies
    "public.remove_imported_products(uuid)": "c0c10504f93b168e",
    # as above
    "public.remove_imported_reorder_points(uuid)": "2dc10333c570bf45",
    # as above
    "public.remove_imported_stores(uuid)": "a533dd9ca6414f6b",
    # writes down days of the current customer, a bounded number
    "public.request_refresh(timestamp with time zone[])": "b90440ebfb457192",
    # the customer's own days alone
    "public.days_to_refresh()": "dd92128c34e977b6",
    # a trigger: the store is one that the writer was allowed to change, with its own customer
    "public.keep_time_zone()": "99060fed060679fb",
    # yes or no, of a store of the current customer's ledgers alone
    "public.store_has_history(uuid)": "b16e154a95bf40f2",
    # a lock whose key holds the customer
    "public.take_turn(text,boolean)": "c63cc1d01734232f",
    # as above
    "public.try_turn(text)": "070d832af67843bf",
    # customer and import stand in every WHERE
    "public.undo_inventory_levels(uuid)": "6332886a0f4aabb4",
    # as above
    "public.undo_transactions(uuid)": "26432cc0f9e06511",
    # a trigger that copies rows which the writer was allowed to write
    "timeseries.keep_first_groups()": "396f7f1f8614998d",
    # what the transaction's context says, if its signature holds
    "public.current_customer_id()": "fd64dfd286e97a4b",
    # as above
    "public.current_import_batch_id()": "8de240f14624a222",
    # as above, and whose address that is
    "public.current_login_user_id()": "f948c5d1bf75acb6",
    # as above
    "public.current_session_key()": "9275d3a768c5a9fc",
    # as above
    "public.current_user_id()": "52c22d9ab56353a9",
    # all customers, for an operator whose context is signed
    "public.customers_overview(integer)": "7738a84690fba110",
    # a trigger: keeps the hash of an address that the writer was allowed to write
    "private.keep_address()": "97f54e87fba5e3fb",
}
