"""What no role but the owner may look at: keys, and who has which address.

People log in by an address that is unique across customers. An index on it told, by EXPLAIN,
which addresses there are; here it is looked up by a keyed hash, in a table that the application
has no privilege on. The hash's key is made here and never leaves the database.
"""

from django.db import migrations
from django.db.migrations import RunSQL

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS private;
REVOKE ALL ON SCHEMA private FROM PUBLIC, shelfops_app, shelfops_operator;

CREATE TABLE IF NOT EXISTS private.context_keys (
    key_id       text PRIMARY KEY,
    inner_pad    bytea NOT NULL CHECK (length(inner_pad) = 64),
    outer_pad    bytea NOT NULL CHECK (length(outer_pad) = 64),
    installed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS private.address_key (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS private.addresses (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    hash    bytea NOT NULL UNIQUE
);
-- Four random UUIDs fill each block of SHA-256 as HMAC's padded keys do.
INSERT INTO private.address_key (inner_key, outer_key)
SELECT string_agg(uuid_send(gen_random_uuid()), ''), string_agg(uuid_send(gen_random_uuid()), '')
FROM generate_series(1, 4)
ON CONFLICT DO NOTHING;
"""
DROP_SCHEMA = "DROP SCHEMA IF EXISTS private CASCADE;"

# `digest` is what the web sends of an address: the first 40 digits of its SHA-256.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION private.hash_of(digest text) RETURNS bytea
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT sha256(outer_key || sha256(inner_key || convert_to(digest, 'UTF8')))
            FROM private.address_key);
END $$;
CREATE OR REPLACE FUNCTION private.hash_of_address(address text) RETURNS bytea
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN private.hash_of(left(encode(sha256(convert_to(address, 'UTF8')), 'hex'), 40));
END $$;

-- The name of the constraint is the one that forms know; the hash is nobody's to see.
CREATE OR REPLACE FUNCTION private.keep_address() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO private.addresses (user_id, hash)
    VALUES (NEW.user_id, private.hash_of_address(NEW.email))
    ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash;
    RETURN NULL;
EXCEPTION WHEN unique_violation THEN
    RAISE unique_violation USING MESSAGE = 'the address is in use',
        CONSTRAINT = 'users_email_key', TABLE = 'users', SCHEMA = 'public';
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA private FROM PUBLIC;
"""

# The owner is under row-level security, too, and would not see the rows to copy.
ADDRESSES = """
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
INSERT INTO private.addresses SELECT user_id, private.hash_of_address(email) FROM users
ON CONFLICT (user_id) DO NOTHING;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE OR REPLACE TRIGGER users_keep_address AFTER INSERT OR UPDATE OF email ON users
    FOR EACH ROW EXECUTE FUNCTION private.keep_address();
ALTER TABLE users DROP CONSTRAINT IF EXISTS users_email_key;
-- Estimates are shown to everybody, and would tell common addresses.
ALTER TABLE users ALTER COLUMN email SET STATISTICS 0;
"""
NO_ADDRESSES = """
ALTER TABLE users ALTER COLUMN email SET STATISTICS -1;
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
DROP TRIGGER IF EXISTS users_keep_address ON users;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0008_versions")]

    operations = [
        RunSQL(SCHEMA, DROP_SCHEMA),
        RunSQL(FUNCTIONS, RunSQL.noop),  # they go with their schema
        RunSQL(ADDRESSES, NO_ADDRESSES),
    ]
