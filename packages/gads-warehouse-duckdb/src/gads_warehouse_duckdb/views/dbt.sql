-- name: rows
{table} LEFT JOIN (
    SELECT customer_id AS _customer_id, logical_date AS _logical_date, schema_version AS _schema_version,
        loaded_at AS _loaded_at
    FROM gads.pointers WHERE report = {report}
) USING (_customer_id, _logical_date)

-- name: stats
SELECT _customer_id::BIGINT AS customer_id, _logical_date AS date, md5(concat_ws(chr(31), {grain})) AS _fivetran_id,
    {columns}, _loaded_at AS _fivetran_synced
FROM {rows}

-- name: described
SELECT {columns}, _logical_date AS _day, {rank} AS _rank, _loaded_at
FROM {rows}

-- name: history
-- Of a day the first of the reports that has an attribute gives it, or else the day before: what a report says is a
-- struct, to tell "it is null" from "this report does not say".
WITH described AS (
    {described}
), daily AS (
    SELECT {entity}, _day, {best}, max(_loaded_at) AS _loaded_at
    FROM described WHERE {there} GROUP BY {entity}, _day
)
SELECT {columns}, _day::TIMESTAMP AS updated_at,
    _day = max(_day) OVER (PARTITION BY {entity}) AS _fivetran_active, _loaded_at AS _fivetran_synced
FROM daily WINDOW so_far AS (PARTITION BY {entity} ORDER BY _day)
