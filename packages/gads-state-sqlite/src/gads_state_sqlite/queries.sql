-- name: marks
SELECT held + 2 * terminal FROM marks WHERE source = ? AND customer_id = ? AND report = ? AND logical_date = ?

-- name: newest_run
SELECT run_id FROM runs WHERE results > 0 ORDER BY run_id DESC LIMIT 1

-- name: newest_run_by_scan
SELECT run_id FROM attempts AS a
WHERE NOT EXISTS (
    SELECT 1 FROM revocations AS r
    WHERE r.source = a.source AND r.customer_id = a.customer_id AND r.report = a.report
        AND r.logical_date = a.logical_date AND r.run_id = a.run_id
)
ORDER BY run_id DESC LIMIT 1

-- name: success_days
SELECT customer_id, report, logical_date, logical_date FROM partition_state
WHERE status = 'success' AND {where} ORDER BY customer_id, report, logical_date

-- name: success_ranges
SELECT customer_id, report, max(first_day, ?), min(last_day, ?) FROM success_ranges
WHERE first_day <= ? AND last_day >= ? AND {where} ORDER BY customer_id, report, first_day

-- name: position
SELECT max(
    coalesce((SELECT sequence FROM authority_log ORDER BY sequence DESC LIMIT 1), 0),
    coalesce((SELECT max(sequence) FROM erased_changes), 0)
)

-- name: position_of_all
SELECT coalesce(max(sequence), 0) FROM authority_log

-- name: change_at_or_below
SELECT sequence, at FROM authority_log WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1

-- name: next_report
SELECT customer_id, report FROM {rows}
WHERE source = ? AND (customer_id, report) > (?, ?) AND {has_row} ORDER BY customer_id, report LIMIT 1

-- name: as_of
-- The present rows come first, in key order: every partition that ever changed has one. A seek in the log's index for each
-- finds its change, so that the cost depends on the partitions asked for and not on the log's length.
SELECT {columns} FROM ({rows}) AS held JOIN authority_log AS log ON log.sequence = (
    SELECT max(sequence) FROM authority_log
    WHERE source = held.source AND customer_id = held.customer_id AND report = held.report
        AND logical_date = held.logical_date AND sequence <= ?
)
{where}
ORDER BY held.source, held.customer_id, held.report, held.logical_date

-- name: known_contents
SELECT s.source, s.customer_id, s.report, s.logical_date, a.run_id, a.content_sha256, a.schema_version, a.record_count
FROM partition_state AS s JOIN attempts AS a ON a.source = s.source AND a.customer_id = s.customer_id
    AND a.report = s.report AND a.logical_date = s.logical_date AND a.run_id = s.current_run_id
WHERE {where} AND s.status = 'success' AND s.held_run_id IS NULL AND a.content_sha256 IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM revocations AS r WHERE r.source = s.source AND r.customer_id = s.customer_id
        AND r.report = s.report AND r.logical_date = s.logical_date AND r.run_id = s.current_run_id
)
ORDER BY s.source, s.customer_id, s.report, s.logical_date, a.version

-- name: confirm
UPDATE partitions SET confirmed_run = (SELECT id FROM runs WHERE run_id = ?1), confirmed_at = ?2, updated_at = ?2,
    version = version + 1
WHERE account_report = (SELECT id FROM account_reports WHERE source = ?3 AND customer_id = ?4 AND report = ?5)
    AND logical_date = ?6 AND current_run = (SELECT id FROM runs WHERE run_id = ?7)
    AND last_error IS NULL AND held_run IS NULL
    AND ?1 > (SELECT run_id FROM runs WHERE id = coalesce(confirmed_run, current_run))
    AND NOT EXISTS (
        SELECT 1 FROM revocations WHERE source = ?3 AND customer_id = ?4 AND report = ?5 AND logical_date = ?6
            AND run_id = ?7
    )
    AND ?8 = (
        SELECT iif(typeof(content_sha256) = 'blob', lower(hex(content_sha256)), content_sha256) FROM results AS r WHERE r.account_report = partitions.account_report
            AND r.logical_date = ?6 AND r.run = partitions.current_run AND r.seal_sha256 IS NOT NULL
        ORDER BY r.version DESC LIMIT 1
    )

-- name: put_account_report
INSERT INTO account_reports (source, customer_id, report) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: put_run
INSERT INTO runs (run_id) VALUES (?) ON CONFLICT DO NOTHING

-- name: put_check_list
INSERT INTO check_lists (checks) VALUES (?) ON CONFLICT DO NOTHING

-- name: put_state
INSERT INTO partitions (
    account_report, logical_date, status, current_run, schema_version, record_count, seal_sha256, attempt_count,
    updated_at, last_error, version, held_run, confirmed_run, confirmed_at
) VALUES (
    (SELECT id FROM account_reports WHERE source = ? AND customer_id = ? AND report = ?), ?, ?,
    (SELECT id FROM runs WHERE run_id = ?), ?, ?, ?, ?, ?, ?, ?,
    (SELECT id FROM runs WHERE run_id = ?), (SELECT id FROM runs WHERE run_id = ?), ?
)
ON CONFLICT (account_report, logical_date) DO UPDATE SET
    status = excluded.status, current_run = excluded.current_run, schema_version = excluded.schema_version,
    record_count = excluded.record_count, seal_sha256 = excluded.seal_sha256, attempt_count = excluded.attempt_count,
    updated_at = excluded.updated_at, last_error = excluded.last_error, version = excluded.version,
    held_run = excluded.held_run, confirmed_run = excluded.confirmed_run, confirmed_at = excluded.confirmed_at

-- name: put_result
INSERT INTO results (
    account_report, logical_date, run, outcome, validated_at, check_list, checks, failure, schema_version, record_count,
    seal_sha256, content_sha256, changes, vanished_rows, confirmed_by, confirmed_at, version
) VALUES (
    (SELECT id FROM account_reports WHERE source = ?1 AND customer_id = ?2 AND report = ?3), ?4,
    (SELECT id FROM runs WHERE run_id = ?5), ?6, ?7, (SELECT id FROM check_lists WHERE checks = ?8),
    (SELECT ?8 WHERE NOT EXISTS (SELECT 1 FROM check_lists WHERE checks = ?8)), ?9, ?10, ?11, ?12, ?13, ?14, ?15,
    (SELECT id FROM runs WHERE run_id = ?16), ?17, ?18
)

-- name: scheduling_states
-- The figures of a `success` whose newest run passed are in its row; those of the few others are looked up in the
-- validation results and the acts. Its `base` is the version at which the counting of tries began anew.
SELECT s.source AS source, s.customer_id AS customer_id, s.report AS report, s.logical_date AS logical_date, s.status,
    CASE WHEN s.status = 'success' THEN s.updated_at
        ELSE (SELECT judged_at {tried} ORDER BY version DESC LIMIT 1) END,
    CASE WHEN s.status = 'success' AND s.last_error IS NULL THEN 0
        ELSE (SELECT count(DISTINCT run_id) {tried} AND a.version > {base}) END,
    CASE WHEN s.status = 'success' AND s.last_error IS NULL THEN NULL
        ELSE (SELECT failure {tried} AND a.version > {base} ORDER BY version DESC LIMIT 1) END,
    coalesce(m.held + 2 * m.terminal, 0), s.held_run_id
FROM partition_state AS s LEFT JOIN marks AS m ON m.source = s.source AND m.customer_id = s.customer_id
    AND m.report = s.report AND m.logical_date = s.logical_date
WHERE {where} AND s.status IN ({statuses})

-- name: marked_alone
UNION ALL
SELECT s.source AS source, s.customer_id AS customer_id, s.report AS report, s.logical_date AS logical_date,
    'pending', NULL, 0, NULL, s.held + 2 * s.terminal, NULL
FROM marks AS s
WHERE {where} AND s.held + s.terminal > 0 AND NOT EXISTS (
    SELECT 1 FROM partition_state AS p WHERE p.source = s.source AND p.customer_id = s.customer_id
        AND p.report = s.report AND p.logical_date = s.logical_date
)

-- name: tried
FROM attempts AS a WHERE a.source = s.source AND a.customer_id = s.customer_id AND a.report = s.report
    AND a.logical_date = s.logical_date

-- name: base
-- A run passed, or an operator retried the partition.
max(
    coalesce((
        SELECT max(version) FROM attempts AS a WHERE a.source = s.source AND a.customer_id = s.customer_id
            AND a.report = s.report AND a.logical_date = s.logical_date AND outcome = 'passed'
    ), 0),
    coalesce((
        SELECT max(row_version) FROM operator_acts AS o WHERE o.source = s.source AND o.customer_id = s.customer_id
            AND o.report = s.report AND o.logical_date = s.logical_date
            AND by_policy = 0 AND kind IN ('retry', 'unmark_terminal')
    ), 0)
)

-- name: spent
SELECT span, operations FROM spent_operations WHERE budget = ? AND span > ? ORDER BY span

-- name: spent_on_days
-- Of tables that no writer has migrated yet, as the migration reads them.
SELECT * FROM (
    SELECT strftime('%Y-%m-%dT%H:%M:00.000000Z', min(julianday(day, '+36 hours'), julianday('now'))) AS span, spent
    FROM quota_days WHERE budget = ? AND spent > 0
) WHERE span > ? ORDER BY span

-- name: seen_at
SELECT last_at FROM spent_operations WHERE budget = ? ORDER BY span DESC LIMIT 1

-- name: put_spent
INSERT INTO spent_operations (budget, span, operations, last_at) VALUES (?, ?, ?, ?)
ON CONFLICT (budget, span) DO UPDATE SET operations = operations + excluded.operations, last_at = excluded.last_at

-- name: rests
SELECT budget, customer_id, report, not_before, reason FROM rests WHERE budget = ? AND not_before > ?
ORDER BY customer_id, report

-- name: put_rest
INSERT INTO rests (budget, customer_id, report, not_before, reason) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (budget, customer_id, report) DO UPDATE SET not_before = excluded.not_before, reason = excluded.reason
WHERE excluded.not_before > not_before

-- name: put_marks
INSERT INTO marks (source, customer_id, report, logical_date, held, terminal) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (source, customer_id, report, logical_date)
DO UPDATE SET held = excluded.held, terminal = excluded.terminal

-- name: put_lease
INSERT INTO leases (scope, owner, number, expires_at) VALUES (?, ?, ?, ?)
ON CONFLICT (scope) DO UPDATE SET owner = excluded.owner, number = excluded.number, expires_at = excluded.expires_at

-- name: leases
SELECT scope, owner, number, expires_at FROM leases WHERE expires_at > ? ORDER BY scope

-- name: pin
SELECT source, report, schema_version, columns FROM schema_pins
WHERE source = ? AND report = ? AND schema_version = ?

-- name: put_pin
INSERT INTO schema_pins (source, report, schema_version, columns, fingerprint) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: append_change
INSERT INTO authority_changes (
    account_report, logical_date, from_run, to_run, status_before, status_after, schema_version, record_count,
    seal_sha256, cause, at
) VALUES (
    (SELECT id FROM account_reports WHERE source = ? AND customer_id = ? AND report = ?), ?,
    (SELECT id FROM runs WHERE run_id = ?), (SELECT id FROM runs WHERE run_id = ?), ?, ?, ?, ?, ?, ?, ?
)

-- name: erasures
SELECT source, customer_id, at, actor, command, reason, partitions, results, changes, digest, elsewhere,
    cleared_at, ended_at, readmitted_at, readmitted_by, readmitted_command, readmitted_reason
FROM erasures WHERE source = ? AND customer_id = coalesce(?, customer_id) ORDER BY number

-- name: withdraw_all
INSERT INTO authority_changes (account_report, logical_date, from_run, to_run, status_before, status_after, cause, at)
SELECT p.account_report, p.logical_date, p.current_run, NULL, 'success', 'pending', 'erase',
    max(?1, coalesce((SELECT at FROM authority_changes ORDER BY sequence DESC LIMIT 1), ?1))
FROM account_reports AS k JOIN partitions AS p ON p.account_report = k.id
WHERE k.source = ?2 AND k.customer_id = ?3 AND p.status = 'success'
ORDER BY k.report, p.logical_date

-- name: next_to_erase
SELECT DISTINCT source, customer_id, report, logical_date FROM attempts
WHERE source = ? AND customer_id = ? ORDER BY report, logical_date LIMIT ?

-- name: count_erased
UPDATE erasures SET partitions = partitions + ?, results = results + ?, changes = changes + ?, digest = ?
WHERE source = ? AND customer_id = ? AND readmitted_at IS NULL

-- name: superseded
SELECT s.source, s.customer_id, s.report, s.logical_date FROM partition_state AS s
WHERE {where} AND s.attempt_count > (s.current_run_id IS NOT NULL) + (
    SELECT count(*) FROM pruned_runs AS p WHERE p.source = s.source AND p.customer_id = s.customer_id
        AND p.report = s.report AND p.logical_date = s.logical_date
)
ORDER BY s.source, s.customer_id, s.report, s.logical_date

-- name: open_prunes
SELECT p.source, p.customer_id, p.report, p.logical_date, p.run_id, a.at, a.actor, a.command, a.reason, p.seal_sha256,
    p.removed_at, p.freed
FROM pruned_runs AS p INDEXED BY pruned_runs_open JOIN prune_acts AS a ON a.number = p.act
WHERE p.removed_at IS NULL ORDER BY p.source, p.customer_id, p.report, p.logical_date, p.run_id LIMIT ?

-- name: pruned
SELECT p.source, p.customer_id, p.report, p.logical_date, p.run_id, a.at, a.actor, a.command, a.reason, p.seal_sha256,
    p.removed_at, p.freed
FROM pruned_runs AS p JOIN prune_acts AS a ON a.number = p.act
WHERE p.source = ? AND p.customer_id = ? AND p.report = ? AND p.logical_date BETWEEN ? AND ?
ORDER BY p.logical_date, p.run_id

-- name: end_prune
UPDATE pruned_runs SET removed_at = ?, freed = ?
WHERE source = ? AND customer_id = ? AND report = ? AND logical_date = ? AND run_id = ? AND removed_at IS NULL

-- name: pins
SELECT name, count(*), max(until) FROM pins WHERE until > ? GROUP BY name ORDER BY name
