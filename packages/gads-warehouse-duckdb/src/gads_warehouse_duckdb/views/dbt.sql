-- name: history
SELECT {columns}, _logical_date::TIMESTAMP AS updated_at,
    _logical_date = max(_logical_date) OVER (PARTITION BY {entity}) AS _fivetran_active,
    (SELECT loaded_at FROM gads.state) AS _fivetran_synced
FROM {table} GROUP BY {entity}, _logical_date

-- name: stats
SELECT _customer_id::BIGINT AS customer_id, _logical_date AS date,
    md5(concat_ws(chr(31), {grain})) AS _fivetran_id, {columns},
    (SELECT loaded_at FROM gads.state) AS _fivetran_synced
FROM {table}
