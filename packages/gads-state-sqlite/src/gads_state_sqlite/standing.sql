-- name: classes
-- Pairs of account and report by what is expected of them, and each range of days that is success: 400,000 pairs are a few
-- thousand classes. A pair with two ranges counts twice; `more_ranges` says how often. Further periods are not here.
-- What most pairs have alike is one null, and not four columns to compare.
SELECT e.report, a.time_zone, s.last_day,
    CASE WHEN e.first_day = :usual AND s.first_day = :usual AND e.last_day IS NULL AND a.selected THEN NULL
        ELSE json_array(e.first_day, e.last_day, a.selected, s.first_day) END,
    count(*), min(e.customer_id), max(e.customer_id)
FROM listed_accounts AS a
CROSS JOIN expectations AS e ON e.source = a.source AND e.customer_id = a.customer_id AND e.period = 1
LEFT JOIN account_reports AS k ON k.source = e.source AND k.customer_id = e.customer_id AND k.report = e.report
LEFT JOIN success_days AS s ON s.account_report = k.id
WHERE a.source = :source AND {customers} AND {reports}
GROUP BY 1, 2, 3, 4

-- name: usual_day
SELECT first_day FROM (SELECT first_day FROM expectations WHERE source = :source LIMIT 4000)
GROUP BY first_day ORDER BY count(*) DESC LIMIT 1

-- name: more_ranges
SELECT e.report, a.time_zone, e.first_day, e.last_day, a.selected, sum(s.ranges - 1)
FROM (
    SELECT account_report, count(*) AS ranges FROM success_days GROUP BY account_report HAVING count(*) > 1
) AS s
CROSS JOIN account_reports AS k ON k.id = s.account_report AND k.source = :source
CROSS JOIN expectations AS e ON e.source = k.source AND e.customer_id = k.customer_id AND e.report = k.report
    AND e.period = 1
CROSS JOIN listed_accounts AS a ON a.source = k.source AND a.customer_id = k.customer_id
WHERE {customers} AND {reports}
GROUP BY 1, 2, 3, 4, 5

-- name: several_periods
SELECT e.customer_id, e.report FROM expectations AS e
WHERE e.source = :source AND e.period = 2 AND {customers} AND {reports}

-- name: not_listed
SELECT DISTINCT e.customer_id, e.report FROM expectations AS e
WHERE e.source = :source AND {customers} AND {reports} AND e.customer_id IN (
    SELECT customer_id FROM expectations WHERE source = :source
    EXCEPT SELECT customer_id FROM listed_accounts WHERE source = :source
)

-- name: held_days
SELECT e.customer_id, e.report, p.logical_date
FROM partitions AS p INDEXED BY partitions_held
CROSS JOIN account_reports AS e ON e.id = p.account_report
WHERE p.held_run IS NOT NULL AND e.source = :source AND {customers} AND {reports}

-- name: failed_days
SELECT e.report, a.time_zone, p.logical_date, count(*)
FROM partitions AS p INDEXED BY partitions_not_success
CROSS JOIN account_reports AS k ON k.id = p.account_report AND k.source = :source
CROSS JOIN expectations AS e ON e.source = k.source AND e.customer_id = k.customer_id AND e.report = k.report
    AND e.first_day <= p.logical_date AND (e.last_day IS NULL OR e.last_day >= p.logical_date)
LEFT JOIN listed_accounts AS a ON a.source = k.source AND a.customer_id = k.customer_id
WHERE p.status <> 'success' AND p.status = 'failed' AND {customers} AND {reports}
GROUP BY 1, 2, 3

-- name: periods_of
SELECT e.customer_id, e.report, a.time_zone, a.selected, e.first_day, e.last_day
FROM json_each(:pairs) AS j
CROSS JOIN expectations AS e ON e.source = :source AND e.customer_id = json_extract(j.value, '$[0]') AND e.report = json_extract(j.value, '$[1]')
LEFT JOIN listed_accounts AS a ON a.source = e.source AND a.customer_id = e.customer_id
ORDER BY j.key, e.period

-- name: ranges_of
SELECT k.customer_id, k.report, s.first_day, s.last_day
FROM json_each(:pairs) AS j
CROSS JOIN account_reports AS k ON k.source = :source AND k.customer_id = json_extract(j.value, '$[0]') AND k.report = json_extract(j.value, '$[1]')
CROSS JOIN success_days AS s ON s.account_report = k.id
ORDER BY j.key, s.first_day

-- name: without_record
SELECT c.value, coalesce(a.name, ''), r.value
FROM json_each(:whole) AS c CROSS JOIN json_each(:names) AS r
LEFT JOIN listed_accounts AS a ON a.source = :source AND a.customer_id = c.value
WHERE NOT EXISTS (
    SELECT 1 FROM expectations AS e WHERE e.source = :source AND e.customer_id = c.value AND e.report = r.value
)
ORDER BY c.value, r.value LIMIT 3

-- name: heat_accounts
SELECT customer_id, name, time_zone, manager_path, status FROM listed_accounts
WHERE source = :source AND customer_id BETWEEN :first AND :last

-- name: heat_periods
SELECT e.customer_id, e.first_day, e.last_day FROM expectations AS e
WHERE e.source = :source AND e.customer_id BETWEEN :first AND :last AND e.report = :report AND {customers}
    AND e.first_day <= :until

-- name: heat_ranges
SELECT a.value, s.first_day, s.last_day
FROM json_each(:some) AS a
CROSS JOIN account_reports AS k ON k.source = :source AND k.customer_id = a.value AND k.report = :report
CROSS JOIN success_days AS s ON s.account_report = k.id AND s.first_day <= :until AND s.last_day >= :since

-- name: heat_failed
SELECT a.value, p.logical_date
FROM json_each(:some) AS a
CROSS JOIN account_reports AS k ON k.source = :source AND k.customer_id = a.value AND k.report = :report
CROSS JOIN partitions AS p INDEXED BY partitions_not_success ON p.account_report = k.id
    AND p.logical_date BETWEEN :since AND :until
WHERE p.status <> 'success' AND p.status = 'failed'

-- name: heat_held
SELECT a.value, p.logical_date
FROM json_each(:some) AS a
CROSS JOIN account_reports AS k ON k.source = :source AND k.customer_id = a.value AND k.report = :report
CROSS JOIN partitions AS p INDEXED BY partitions_held ON p.account_report = k.id
    AND p.logical_date BETWEEN :since AND :until
WHERE p.held_run IS NOT NULL

-- name: heat_lately
SELECT k.customer_id, p.logical_date, coalesce(p.confirmed_at >= :lately, 0), p.attempt_count > 1 AND EXISTS (
    SELECT 1 FROM authority_changes AS c
    WHERE c.account_report = p.account_report AND c.logical_date = p.logical_date AND c.at >= :lately
        AND c.from_run <> c.to_run
)
FROM json_each(:some) AS a
CROSS JOIN account_reports AS k ON k.source = :source AND k.customer_id = a.value AND k.report = :report
CROSS JOIN partitions AS p ON p.account_report = k.id AND p.logical_date BETWEEN :since AND :until
WHERE p.status = 'success' AND p.held_run IS NULL AND (p.confirmed_at >= :lately OR p.attempt_count > 1)

-- name: drift
SELECT m.key, CAST(julianday(date(r.validated_at / 1000000, 'unixepoch')) - julianday(r.logical_date) AS INTEGER),
    count(*), total(json_extract(m.value, '$.before')), total(json_extract(m.value, '$.after')),
    total(abs((json_extract(m.value, '$.after')) - (json_extract(m.value, '$.before'))))
FROM json_each(:some) AS a
CROSS JOIN account_reports AS k ON k.source = :source AND k.customer_id = a.value AND k.report = :report
CROSS JOIN results AS r ON r.account_report = k.id AND r.logical_date BETWEEN :since AND :until
CROSS JOIN json_each(r.changes, '$.metrics') AS m
WHERE r.changes IS NOT NULL AND r.outcome = 'passed' AND (:metric IS NULL OR m.key = :metric)
    AND json_extract(m.value, '$.before') IS NOT NULL AND json_extract(m.value, '$.after') IS NOT NULL
    AND EXISTS (
        SELECT 1 FROM authority_changes AS c
        WHERE c.account_report = r.account_report AND c.logical_date = r.logical_date AND c.to_run = r.run
    )
GROUP BY 1, 2 ORDER BY 1, 2

-- name: expected_accounts
SELECT DISTINCT e.customer_id FROM expectations AS e
WHERE e.source = :source AND {customers} AND {reports} AND (e.last_day IS NULL OR e.first_day <= e.last_day)
ORDER BY e.customer_id

-- name: on_record
SELECT customer_id, last_day IS NULL FROM expectations WHERE source = :source AND report = :report

-- name: missing_a_day
SELECT e.customer_id FROM expectations AS e
LEFT JOIN account_reports AS k ON k.source = e.source AND k.customer_id = e.customer_id AND k.report = e.report
WHERE e.source = :source AND e.report = :report AND {customers} AND e.first_day <= :day
    AND (e.last_day IS NULL OR e.last_day >= :day) AND NOT EXISTS (
        SELECT 1 FROM success_days AS s WHERE s.account_report = k.id AND s.first_day <= :day AND s.last_day >= :day
    )
ORDER BY e.customer_id LIMIT 1000

-- name: open_rows
-- As `scheduling_states` has them, of few rows in a large ledger: the partial indexes come first.
SELECT s.customer_id, s.report, s.logical_date, s.status, s.status <> 'success' AND NOT EXISTS (SELECT 1 {tried}),
    CASE WHEN s.status = 'success' AND s.last_error IS NULL THEN NULL
        ELSE (SELECT failure {tried} AND a.version > {base} ORDER BY version DESC LIMIT 1) END,
    coalesce(m.held + 2 * m.terminal, 0), s.held_run
FROM (
    SELECT e.source, e.customer_id, e.report, p.logical_date, p.status, p.last_error,
        (SELECT run_id FROM runs WHERE id = p.held_run) AS held_run
    FROM partitions AS p INDEXED BY partitions_not_success CROSS JOIN account_reports AS e ON e.id = p.account_report
    WHERE p.status <> 'success' AND e.source = :source AND {customers} AND {reports}
    UNION ALL
    SELECT e.source, e.customer_id, e.report, p.logical_date, p.status, p.last_error,
        (SELECT run_id FROM runs WHERE id = p.held_run)
    FROM partitions AS p INDEXED BY partitions_held CROSS JOIN account_reports AS e ON e.id = p.account_report
    WHERE p.held_run IS NOT NULL AND e.source = :source AND {customers} AND {reports}
) AS s
LEFT JOIN marks AS m ON m.source = s.source AND m.customer_id = s.customer_id AND m.report = s.report
    AND m.logical_date = s.logical_date

-- name: marked_alone
SELECT e.customer_id, e.report, e.logical_date, 'pending', 1, NULL, e.held + 2 * e.terminal, NULL
FROM marks AS e
WHERE e.source = :source AND {customers} AND {reports} AND e.held + e.terminal > 0 AND NOT EXISTS (
    SELECT 1 FROM partition_state AS p WHERE p.source = e.source AND p.customer_id = e.customer_id
        AND p.report = e.report AND p.logical_date = e.logical_date
)

-- name: selected
SELECT count(*) FROM listed_accounts WHERE source = :source AND selected

-- name: lacking
SELECT count(*) FROM listed_accounts AS a WHERE a.source = :source AND a.selected AND NOT EXISTS (
    SELECT 1 FROM expectations AS e
    WHERE e.source = a.source AND e.customer_id = a.customer_id AND e.report = :report
)
