-- The views of the schema `reporting`. The comment below a name is the meaning that the catalogue gives the view.

-- name: accounts
-- One row an account: name, currency and time zone as last reported by the reports customer, customer_client or
-- account; null while none of them is loaded.
WITH described AS (
    SELECT NULL::VARCHAR AS customer_id, NULL::VARCHAR AS account_name, NULL::VARCHAR AS currency_code,
        NULL::VARCHAR AS time_zone, NULL::BOOLEAN AS is_manager, NULL::BOOLEAN AS is_test_account,
        NULL::DATE AS as_of, 0 AS rank
    WHERE false {described}
), latest AS (
    SELECT * EXCLUDE (rank) FROM described
    QUALIFY row_number() OVER (
        PARTITION BY customer_id
        ORDER BY as_of DESC, rank, account_name, currency_code, time_zone, is_manager, is_test_account
    ) = 1
)
SELECT customer_id, account_name, currency_code, time_zone, is_manager, is_test_account, as_of
FROM (SELECT DISTINCT customer_id FROM gads.pointers) FULL JOIN latest USING (customer_id)

-- name: freshness
-- One row a report an account, from the pointers: first and last day, the last day before the first gap, days missing in
-- between, rows, newest run, last load.
WITH days AS (
    SELECT report, customer_id, logical_date, record_count, run_id, loaded_at,
        logical_date - row_number() OVER (PARTITION BY report, customer_id ORDER BY logical_date)::INTEGER AS island
    FROM gads.pointers
), spans AS (
    SELECT report, customer_id, island, max(logical_date) AS last_day FROM days GROUP BY ALL
), unbroken AS (
    SELECT report, customer_id, arg_min(last_day, island) AS complete_until FROM spans GROUP BY ALL
)
SELECT report, customer_id, min(logical_date) AS first_day, max(logical_date) AS last_day, complete_until,
    count(*) AS days, max(logical_date) - min(logical_date) + 1 - count(*) AS missing_days,
    sum(record_count)::BIGINT AS record_count, max(run_id) AS newest_run_id, max(loaded_at) AS loaded_at
FROM days JOIN unbroken USING (report, customer_id)
GROUP BY report, customer_id, complete_until

-- name: gaps
-- The days without a pointer, from an account's first day of a report to the last day of any account's.
WITH bounds AS (
    SELECT report, customer_id, min(logical_date) AS first_day,
        max(max(logical_date)) OVER (PARTITION BY report) AS last_day
    FROM gads.pointers GROUP BY report, customer_id
), expected AS (
    SELECT report, customer_id, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS logical_date
    FROM bounds
)
SELECT report, customer_id, logical_date FROM expected
ANTI JOIN gads.pointers USING (report, customer_id, logical_date)

-- name: campaign_daily
-- One row a day a campaign, from {name}: what can be added up, money in the account's currency, conversions.
WITH daily AS (
    SELECT _logical_date AS day, _customer_id AS customer_id, campaign_id, {columns}, any_value(_run_id) AS run_id
    FROM {table} GROUP BY ALL
)
SELECT daily.*, account.account_name, account.currency_code, account.time_zone
FROM daily LEFT JOIN reporting.accounts AS account USING (customer_id)

-- name: all_versions
-- All rows of {report}, whose type or meaning changed: {versions}. A column that changed its type is there once a table;
-- one of the same type may mean something else in another table, which _table names.
{selects}

-- name: with_money
-- The rows of {report} with money in the account's currency beside micros, and the account's name, currency and time zone.
SELECT rows.* {added}, account.account_name AS _account_name, account.currency_code AS _currency_code,
    account.time_zone AS _time_zone
FROM {table} AS rows LEFT JOIN reporting.accounts AS account ON account.customer_id = rows._customer_id
