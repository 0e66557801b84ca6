-- What the views must show, by other statements than their own.

-- name: loaded_rows
(SELECT *,
    (SELECT max(loaded_at) FROM gads.pointers WHERE report = {report} AND customer_id = _customer_id
        AND logical_date = _logical_date) AS _loaded_at,
    (SELECT max(schema_version) FROM gads.pointers WHERE report = {report} AND customer_id = _customer_id
        AND logical_date = _logical_date) AS _schema_version
FROM {table})

-- name: history
WITH said AS ({said}),
days AS (SELECT {entity}, _logical_date AS updated_at, max(_loaded_at) AS _fivetran_synced FROM said GROUP BY ALL),
latest AS (SELECT {latest} FROM said GROUP BY {entity})

-- name: accounts
WITH said AS (
    SELECT customer_id, nullif(name, '') AS account_name, nullif(currency, '') AS currency_code,
        nullif(time_zone, '') AS time_zone, NULL::BOOLEAN AS is_manager, NULL::BOOLEAN AS is_test_account,
        NULL::DATE AS as_of, -1 AS rank
    FROM gads.accounts WHERE customer_id IN (SELECT customer_id FROM gads.pointers) {said}
)

-- name: last_said
(SELECT {checksum} FROM (
    SELECT DISTINCT ON (customer_id) {column} FROM said WHERE {column} IS NOT NULL
    ORDER BY customer_id, as_of DESC NULLS LAST, rank, {column} DESC
))

-- name: campaign_daily
WITH said AS ({said}),
days AS (
    SELECT customer_id, campaign_id, day, max(campaign_name) AS campaign_name, max(campaign_status) AS campaign_status,
        max(_run_id) AS run_id
    FROM said WHERE of_day GROUP BY ALL
)

-- name: own_or_last
(SELECT {checksum} FROM (
    SELECT coalesce({column}, (
        SELECT said.{column} FROM said
        WHERE said.customer_id = days.customer_id AND said.campaign_id = days.campaign_id AND said.{column} IS NOT NULL
        ORDER BY said.day DESC, rank, said.{column} DESC LIMIT 1
    )) AS {column} FROM days
))

-- name: of_account
(SELECT sum(rows * hash({column})::HUGEINT) FROM (
    SELECT {customer} AS customer_id, count(*) AS rows FROM {source} GROUP BY ALL
) JOIN reporting.accounts USING (customer_id) WHERE {column} IS NOT NULL)

-- name: freshness
FROM (
    SELECT report, customer_id, min(logical_date) AS first_day, max(logical_date) AS last_day, count(*) AS days,
        sum(record_count) AS record_count, max(run_id) AS newest_run_id, max(loaded_at) AS loaded_at
    FROM gads.pointers GROUP BY ALL
)
