-- What the warehouse is asked.

-- name: pointers
SELECT source, customer_id, logical_date, run_id, record_count, schema_version, seal_sha256
FROM gads.pointers, (SELECT source FROM gads.state)
WHERE report = ? AND {valid} ORDER BY customer_id, logical_date;

-- name: mismatched
WITH found AS (
    SELECT customer_id, logical_date, run_id FROM gads.pointers WHERE false {rows}
), counted AS (
    SELECT customer_id, logical_date, run_id, count(*) AS found FROM found GROUP BY ALL
), shown AS (
    SELECT *, count(*) OVER (PARTITION BY customer_id, logical_date) AS times FROM gads.pointers WHERE report = ?
)
SELECT DISTINCT source, customer_id, logical_date
FROM counted FULL JOIN shown USING (customer_id, logical_date, run_id), (SELECT source FROM gads.state)
WHERE (coalesce(found, 0) <> coalesce(record_count, -1) OR times > 1) AND {valid};
