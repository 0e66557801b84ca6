-- A range of partitions, and of the log, from the tables of version 8 into the compact ones.
-- `{range}` is above one key and up to another; `microseconds`, `sum_bytes` and `compact` are of `migration.py`.

-- name: state
SELECT partitions, converted, source, customer_id, report, logical_date, sequence FROM conversion

-- name: last_of_range
SELECT source, customer_id, report, logical_date FROM partition_state
WHERE (source, customer_id, report, logical_date) > (?1, ?2, ?3, ?4)
ORDER BY source, customer_id, report, logical_date LIMIT 1 OFFSET ?5

-- name: range
(source, customer_id, report, logical_date) > (?1, ?2, ?3, ?4)
    AND (source, customer_id, report, logical_date) <= (?5, ?6, ?7, ?8)

-- name: account_reports
INSERT INTO account_reports (source, customer_id, report)
SELECT source, customer_id, report FROM partition_state WHERE {range}
UNION SELECT source, customer_id, report FROM attempts WHERE {range}
ON CONFLICT DO NOTHING

-- name: runs
INSERT INTO run_numbers (run_id) SELECT run_id FROM (
    SELECT current_run_id AS run_id FROM partition_state WHERE {range}
    UNION SELECT held_run_id FROM partition_state WHERE {range}
    UNION SELECT confirmed_run_id FROM partition_state WHERE {range}
    UNION SELECT run_id FROM attempts WHERE {range}
    UNION SELECT confirmed_by FROM attempts WHERE {range}
) WHERE run_id IS NOT NULL ON CONFLICT DO NOTHING

-- name: check_lists
INSERT INTO check_lists (checks) SELECT DISTINCT compact(checks) FROM attempts
WHERE {range} AND instr(compact(checks), '{{') = 0 ON CONFLICT DO NOTHING

-- name: partitions
INSERT INTO partitions (
    account_report, logical_date, status, current_run, schema_version, record_count, seal_sha256, attempt_count,
    updated_at, last_error, version, held_run, confirmed_run, confirmed_at
)
SELECT (SELECT id FROM account_reports AS k WHERE k.source = s.source AND k.customer_id = s.customer_id AND k.report = s.report),
    logical_date, status, (SELECT id FROM run_numbers WHERE run_id = current_run_id), schema_version, record_count,
    sum_bytes(seal_sha256), attempt_count, microseconds(updated_at), last_error, version,
    (SELECT id FROM run_numbers WHERE run_id = held_run_id), (SELECT id FROM run_numbers WHERE run_id = confirmed_run_id),
    microseconds(confirmed_at)
FROM partition_state AS s WHERE {range}

-- name: results
INSERT INTO results (
    account_report, logical_date, version, run, outcome, validated_at, check_list, checks, failure, schema_version,
    record_count, seal_sha256, content_sha256, changes, vanished_rows, confirmed_by, confirmed_at
)
SELECT (SELECT id FROM account_reports AS k WHERE k.source = a.source AND k.customer_id = a.customer_id AND k.report = a.report),
    logical_date, version, (SELECT id FROM run_numbers AS r WHERE r.run_id = a.run_id), outcome, microseconds(judged_at),
    l.id, iif(l.id IS NULL, compact(a.checks), NULL), failure, schema_version, record_count, sum_bytes(seal_sha256),
    sum_bytes(content_sha256), changes, vanished_rows, (SELECT id FROM run_numbers WHERE run_id = confirmed_by),
    microseconds(confirmed_at)
FROM attempts AS a LEFT JOIN check_lists AS l ON l.checks = compact(a.checks) WHERE {range}

-- name: log_runs
INSERT INTO run_numbers (run_id) SELECT run_id FROM (
    SELECT from_run AS run_id FROM authority_log WHERE sequence > ?1 AND sequence <= ?2
    UNION SELECT to_run FROM authority_log WHERE sequence > ?1 AND sequence <= ?2
) WHERE run_id IS NOT NULL ON CONFLICT DO NOTHING

-- name: log_account_reports
INSERT INTO account_reports (source, customer_id, report)
SELECT DISTINCT source, customer_id, report FROM authority_log WHERE sequence > ?1 AND sequence <= ?2
ON CONFLICT DO NOTHING

-- name: authority_changes
INSERT INTO authority_changes (
    sequence, account_report, logical_date, from_run, to_run, status_before, status_after, schema_version, record_count,
    seal_sha256, at, cause
)
SELECT sequence,
    (SELECT id FROM account_reports AS k WHERE k.source = a.source AND k.customer_id = a.customer_id AND k.report = a.report),
    logical_date, (SELECT id FROM run_numbers WHERE run_id = from_run), (SELECT id FROM run_numbers WHERE run_id = to_run),
    status_before, status_after, schema_version, record_count, sum_bytes(seal_sha256), microseconds(at), cause
FROM authority_log AS a WHERE sequence > ?1 AND sequence <= ?2

-- name: converted
UPDATE conversion SET source = ?1, customer_id = ?2, report = ?3, logical_date = ?4, converted = ?5

-- name: log_converted
UPDATE conversion SET sequence = ?1
