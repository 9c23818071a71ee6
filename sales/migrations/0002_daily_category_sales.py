"""Sales by category and day, for the reports that ask for no single product.

An aggregate can join a table, but not one with row security, and does not notice when that
table changes. So it groups by the category that a product was created with, kept aside where
it never changes; of the few products that were moved since, a flag tells, and a report takes
their sales from the one category to the other. Every figure follows the catalogue at once.

Measured on the real year: 90 days against the 90 before read 62 thousand rows instead of 352
thousand, 40 ms instead of 293 (PostgreSQL 18). It costs 9 MB for the aggregate, 25 MB for the
184,662 products' first categories, and some 9 s when the whole year is summed up (embedded).
"""

from django.db import migrations
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import tenant_view
from shelfops.timescale.operations import continuous_aggregate

FIRST_CATEGORIES = """
CREATE TABLE IF NOT EXISTS timeseries.first_categories (
    customer_id uuid NOT NULL,
    product_id  uuid NOT NULL,
    category    varchar(100) NOT NULL,
    is_moved    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (customer_id, product_id)
);
CREATE INDEX IF NOT EXISTS idx_first_categories_moved
    ON timeseries.first_categories (customer_id) WHERE is_moved;
REVOKE ALL ON timeseries.first_categories FROM PUBLIC, shelfops_app;
GRANT SELECT ON timeseries.first_categories TO shelfops_operator;

-- Run by whoever writes products, who has no access here: they see what products' own row
-- security let them write, and nothing else.
CREATE OR REPLACE FUNCTION timeseries.keep_first_categories() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO timeseries.first_categories (customer_id, product_id, category)
        SELECT customer_id, product_id, category FROM written
        ON CONFLICT DO NOTHING;
    ELSE
        UPDATE timeseries.first_categories AS first SET is_moved = NOT first.is_moved
        FROM written
        WHERE first.customer_id = written.customer_id AND first.product_id = written.product_id
          AND first.is_moved <> (first.category <> written.category);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION timeseries.keep_first_categories() FROM PUBLIC;
CREATE OR REPLACE TRIGGER products_first_categories AFTER INSERT ON products
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION timeseries.keep_first_categories();
CREATE OR REPLACE TRIGGER products_moved AFTER UPDATE ON products
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION timeseries.keep_first_categories();

-- The products there are already. The owner is under row security, too, and sees none of them
-- unless it is lifted; nobody else sees that, as the migration is one transaction.
ALTER TABLE products NO FORCE ROW LEVEL SECURITY;
INSERT INTO timeseries.first_categories (customer_id, product_id, category)
SELECT customer_id, product_id, category FROM products
ON CONFLICT DO NOTHING;
ALTER TABLE products FORCE ROW LEVEL SECURITY;
"""
DROP_FIRST_CATEGORIES = """
DROP TRIGGER IF EXISTS products_moved ON products;
DROP TRIGGER IF EXISTS products_first_categories ON products;
DROP FUNCTION IF EXISTS timeseries.keep_first_categories();
DROP TABLE IF EXISTS timeseries.first_categories;
"""

DAILY_CATEGORY_SALES = """
SELECT time_bucket('1 day', sold.sold_at) AS day,
       sold.customer_id, first.category, sold.business_date,
       sum(sold.quantity) AS quantity_sold, sum(sold.total_amount) AS revenue
FROM timeseries.transactions AS sold
JOIN timeseries.first_categories AS first
     ON first.customer_id = sold.customer_id AND first.product_id = sold.product_id
GROUP BY 1, sold.customer_id, first.category, sold.business_date
"""
DAILY_CATEGORY_SALES_VIEW = """
SELECT day, customer_id, category, business_date, quantity_sold, revenue
FROM timeseries.daily_category_sales
"""
FIRST_CATEGORIES_VIEW = """
SELECT customer_id, product_id, category, is_moved FROM timeseries.first_categories
"""


class Migration(migrations.Migration):
    dependencies = [("sales", "0001_initial"), ("inventory", "0001_initial")]

    operations = [
        RunSQL(FIRST_CATEGORIES, DROP_FIRST_CATEGORIES),
        tenant_view("first_categories", FIRST_CATEGORIES_VIEW),
        continuous_aggregate(
            "daily_category_sales",
            DAILY_CATEGORY_SALES,
            order_by="day, category, business_date",
            index="customer_id, day DESC",
        ),
        tenant_view("daily_category_sales", DAILY_CATEGORY_SALES_VIEW),
    ]
