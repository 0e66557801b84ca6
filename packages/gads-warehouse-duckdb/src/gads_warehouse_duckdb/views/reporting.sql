-- The views of the schema `reporting`. The comment below a name is the meaning that the catalogue gives the view.

-- name: accounts
-- One row an account: name, currency and time zone as last reported by the reports customer, customer_client or account,
-- each by itself, or else as the account list has them.
WITH described AS (
    SELECT customer_id, nullif(name, '') AS account_name, nullif(currency, '') AS currency_code,
        nullif(time_zone, '') AS time_zone, NULL::BOOLEAN AS is_manager, NULL::BOOLEAN AS is_test_account,
        NULL::DATE AS as_of, TIMESTAMP '0001-01-01' AS said_at
    FROM gads.accounts SEMI JOIN gads.pointers USING (customer_id) {described}
), latest AS (
    SELECT customer_id, {latest}, max(as_of) AS as_of FROM described GROUP BY customer_id
)
SELECT customer_id, account_name, currency_code, time_zone, is_manager, is_test_account, as_of
FROM (SELECT DISTINCT customer_id FROM gads.pointers) FULL JOIN latest USING (customer_id)

-- name: gaps
-- One row a day that is expected, due and not shown, or held for a decision. If it is not known what is expected, one more
-- row says why in `unknown`. Only no row at all means complete.
WITH zones AS (
    SELECT account.customer_id, account.name AS account_name, coalesce(zone.name, 'Etc/GMT+12') AS zone
    FROM gads.accounts AS account LEFT JOIN pg_timezone_names() AS zone ON zone.name = account.time_zone
), spans AS (
    SELECT report, customer_id, account_name, first_day, least(
        coalesce(last_day, DATE '9999-12-31'),
        timezone(
            coalesce(zone, 'Etc/GMT+12'),
            now() - to_seconds(coalesce(own.due_seconds, list.due_seconds))
        )::DATE - 1
    ) AS last_day
    FROM gads.account_list AS list, gads.expectations LEFT JOIN zones USING (customer_id)
        LEFT JOIN gads.due_by_report AS own USING (report)
), expected AS (
    SELECT report, customer_id, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS logical_date,
        account_name
    FROM spans WHERE first_day <= last_day
), lacking AS (
    SELECT customer_id, report FROM gads.accounts, (SELECT DISTINCT report FROM gads.expectations WHERE last_day IS NULL)
    WHERE selected
    EXCEPT SELECT customer_id, report FROM gads.expectations
), reasons AS (
    SELECT CASE
        WHEN (SELECT max(drawn_at) FROM gads.account_list) IS NULL THEN 'no list of accounts was ever drawn'
        WHEN (
            SELECT timezone('UTC', now()) - drawn_at > to_seconds(accounts_max_age_seconds) FROM gads.account_list
        ) THEN 'the list of accounts is too old'
        WHEN NOT EXISTS (FROM gads.accounts WHERE selected) THEN 'the list of accounts selects none'
        WHEN EXISTS (FROM lacking) THEN (
            SELECT 'nothing is on record as expected of ' || string_agg(report || ' of ' || customer_id, ', ')
            FROM (FROM lacking ORDER BY ALL LIMIT 3)
        )
    END AS unknown
)
SELECT DISTINCT report, customer_id, logical_date, account_name, NULL::VARCHAR AS unknown FROM expected
WHERE (report, customer_id, logical_date) NOT IN (SELECT (report, customer_id, logical_date) FROM gads.pointers)
    OR (report, customer_id, logical_date) IN (SELECT (report, customer_id, logical_date) FROM gads.held)
UNION ALL
SELECT NULL, NULL, NULL, NULL, unknown FROM reasons WHERE unknown IS NOT NULL

-- name: completeness
-- One row: whether all that is expected is shown (complete, incomplete or unknown), how many days are missing, and why it
-- is unknown what is expected, if it is.
SELECT CASE WHEN count(logical_date) > 0 THEN 'incomplete' WHEN count(unknown) > 0 THEN 'unknown' ELSE 'complete' END
    AS answer, count(logical_date) AS missing_days, max(unknown) AS unknown
FROM reporting.gaps

-- name: freshness
-- One row a report an account: first and last day that is shown, the last day before the first gap, days that are expected
-- and missing, rows, newest run, last load.
WITH shown AS (
    SELECT report, customer_id, min(logical_date) AS first_day, max(logical_date) AS last_day, count(*) AS days,
        sum(record_count)::BIGINT AS record_count, max(run_id) AS newest_run_id, max(loaded_at) AS loaded_at
    FROM gads.pointers GROUP BY report, customer_id
), missing AS (
    SELECT report, customer_id, min(logical_date) AS first_gap, count(*) AS missing_days
    FROM reporting.gaps WHERE logical_date IS NOT NULL GROUP BY report, customer_id
), unbroken AS (
    SELECT report, customer_id, max(logical_date) AS complete_until
    FROM gads.pointers LEFT JOIN missing USING (report, customer_id)
    WHERE first_gap IS NULL OR logical_date < first_gap GROUP BY report, customer_id
)
SELECT report, customer_id, first_day, last_day, complete_until, coalesce(days, 0) AS days,
    coalesce(missing_days, 0) AS missing_days, coalesce(record_count, 0) AS record_count, newest_run_id, loaded_at
FROM shown FULL JOIN missing USING (report, customer_id) LEFT JOIN unbroken USING (report, customer_id)

-- name: campaign_daily
-- One row a day a campaign, from {name}: what can be added up, money in the account's currency, conversions. A name or
-- status that the day's rows do not have is the last that is known.
WITH shown AS (
    {shown}
), named AS (
    {named}
), daily AS (
    SELECT day, customer_id, campaign_id, max(campaign_name) AS campaign_name, max(campaign_status) AS campaign_status,
        {totals}, max(run_id) AS run_id
    FROM shown GROUP BY day, customer_id, campaign_id
), latest AS (
    SELECT customer_id, campaign_id, {latest} FROM named GROUP BY customer_id, campaign_id
)
SELECT daily.* REPLACE (
        coalesce(daily.campaign_name, latest.campaign_name) AS campaign_name,
        coalesce(daily.campaign_status, latest.campaign_status) AS campaign_status
    ), account.account_name, account.currency_code, account.time_zone
FROM daily LEFT JOIN latest USING (customer_id, campaign_id)
    LEFT JOIN reporting.accounts AS account USING (customer_id)

-- name: all_versions
-- All rows of {report}, whose type or meaning changed: {versions}. A column that changed its type is there once a table;
-- one of the same type may mean something else in another table, which _table names.
{selects}

-- name: with_money
-- The rows of {report} with money in the account's currency beside micros, and the account's name, currency and time zone.
SELECT rows.* {added}, account.account_name AS _account_name, account.currency_code AS _currency_code,
    account.time_zone AS _time_zone
FROM {table} AS rows LEFT JOIN reporting.accounts AS account ON account.customer_id = rows._customer_id
