"""Whom a transaction works for is believed if it is signed, or if the owner says so.

`app.context` holds key id, purpose, customer, user, detail, backend, start of the transaction
and the HMAC of these, joined by bars. What does not verify is nobody: no rows, and no error that
says why.
"""

from django.db import migrations
from django.db.migrations import RunSQL

# Parallel workers are other backends: RESTRICTED lets the leader ask, once, for all of them. The
# owner's jobs say in plain settings whose turn it is; nobody else can log in as the owner, and
# session_user stays what it is in functions with other rights.
CONTEXT = """
CREATE OR REPLACE FUNCTION private.context() RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    token  text := coalesce(current_setting('app.context', true), '');
    fields text[] := string_to_array(token, '|');
    key    private.context_keys;
BEGIN
    IF token = '' AND session_user = 'shelfops_owner' THEN
        RETURN ARRAY['', 'work', current_setting('app.current_customer_id', true),
                     current_setting('app.current_user_id', true), ''];
    END IF;
    IF cardinality(fields) <> 8
       OR fields[6] <> pg_backend_pid()::text
       OR fields[7] <> (extract(epoch FROM now()) * 1000000)::bigint::text
    THEN
        RETURN NULL;
    END IF;
    SELECT * INTO key FROM private.context_keys WHERE key_id = fields[1];
    IF NOT FOUND OR fields[8] IS DISTINCT FROM private.mac(key, token) THEN
        RETURN NULL;
    END IF;
    RETURN fields;
END $$;
"""
MAC = """
CREATE OR REPLACE FUNCTION private.mac(key private.context_keys, token text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN  -- of all but the last field, and the bar before it
    RETURN encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to(
        left(token, length(token) - 1 - length(split_part(token, '|', -1))), 'UTF8'))), 'hex');
END $$;
"""
ASKED = """
CREATE OR REPLACE FUNCTION public.current_customer_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields text[] := private.context();
BEGIN
    RETURN CASE WHEN fields[2] IN ('work', 'import') THEN nullif(fields[3], '')::uuid END;
END $$;

CREATE OR REPLACE FUNCTION public.current_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields text[] := private.context();
BEGIN
    RETURN CASE WHEN fields[2] IN ('work', 'import') THEN nullif(fields[4], '')::uuid END;
END $$;

CREATE OR REPLACE FUNCTION public.current_import_batch_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields text[] := private.context();
BEGIN
    RETURN CASE WHEN fields[2] = 'import' THEN fields[5]::uuid END;
END $$;

CREATE OR REPLACE FUNCTION public.current_session_key() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields text[] := private.context();
BEGIN
    RETURN CASE WHEN fields[2] = 'session' THEN fields[5] END;
END $$;

-- Whose address is being tried.
CREATE OR REPLACE FUNCTION public.current_login_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields text[] := private.context();
BEGIN
    IF fields[2] IS DISTINCT FROM 'login' THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT user_id FROM private.addresses WHERE hash = private.hash_of(fields[5]));
END $$;

ALTER FUNCTION public.current_user_is_operator() PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION private.context(), private.mac(private.context_keys, text),
    public.current_customer_id(), public.current_user_id(), public.current_import_batch_id(),
    public.current_session_key(), public.current_login_user_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.current_customer_id(), public.current_user_id(),
    public.current_import_batch_id(), public.current_session_key(),
    public.current_login_user_id() TO shelfops_app, shelfops_operator;
"""
UNSIGNED = """
CREATE OR REPLACE FUNCTION public.current_customer_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY INVOKER AS $$
BEGIN
    RETURN nullif(pg_catalog.current_setting('app.current_customer_id', true), '')::pg_catalog.uuid;
END $$;
CREATE OR REPLACE FUNCTION public.current_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY INVOKER AS $$
BEGIN
    RETURN nullif(pg_catalog.current_setting('app.current_user_id', true), '')::pg_catalog.uuid;
END $$;
GRANT EXECUTE ON FUNCTION public.current_customer_id(), public.current_user_id() TO PUBLIC;
DROP FUNCTION IF EXISTS public.current_import_batch_id();
DROP FUNCTION IF EXISTS public.current_session_key();
DROP FUNCTION IF EXISTS public.current_login_user_id();
DROP FUNCTION IF EXISTS private.context();
DROP FUNCTION IF EXISTS private.mac(private.context_keys, text);
"""

OWN_ROWS = "customer_id = (SELECT current_customer_id())"
MINE = "user_id = (SELECT current_user_id())"
POLICIES = f"""
ALTER POLICY users_tenant ON users
    USING ({OWN_ROWS} OR {MINE} OR user_id = (SELECT current_login_user_id()))
    WITH CHECK ({OWN_ROWS} OR {MINE});
ALTER POLICY django_session_tenant ON django_session
    USING (session_key = (SELECT current_session_key()))
    WITH CHECK (session_key = (SELECT current_session_key()));
"""
LOGIN_ROW = "email = (SELECT nullif(current_setting('app.login_email', true), ''))"
SESSION_ROW = "session_key = (SELECT nullif(current_setting('app.session_key', true), ''))"
UNSIGNED_POLICIES = f"""
ALTER POLICY users_tenant ON users
    USING ({OWN_ROWS} OR {MINE} OR {LOGIN_ROW}) WITH CHECK ({OWN_ROWS} OR {MINE} OR {LOGIN_ROW});
ALTER POLICY django_session_tenant ON django_session
    USING ({SESSION_ROW}) WITH CHECK ({SESSION_ROW});
"""

# Back again, keys cannot be had from their digests: everybody logs in anew.
SESSIONS = """
ALTER TABLE django_session NO FORCE ROW LEVEL SECURITY;
UPDATE django_session
SET session_key = left(encode(sha256(convert_to(session_key, 'UTF8')), 'hex'), 40)
WHERE length(session_key) < 40;  -- a key has 32 characters
ALTER TABLE django_session FORCE ROW LEVEL SECURITY;
"""
NO_SESSIONS = """
ALTER TABLE django_session NO FORCE ROW LEVEL SECURITY;
DELETE FROM django_session;
ALTER TABLE django_session FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0009_private")]

    operations = [
        RunSQL(MAC, RunSQL.noop),
        RunSQL(CONTEXT, RunSQL.noop),
        RunSQL(ASKED, UNSIGNED),
        RunSQL(POLICIES, UNSIGNED_POLICIES),
        RunSQL(SESSIONS, NO_SESSIONS),
    ]
