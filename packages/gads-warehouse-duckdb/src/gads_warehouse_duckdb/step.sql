-- One step: `changed_partitions` are those that are replaced or removed; a removed one has no run.

-- name: count_shown
SELECT count(*) FROM changed_partitions SEMI JOIN gads.pointers USING (report, customer_id, logical_date);

-- name: record_changes
INSERT INTO gads.load_records
SELECT $load, if(pointer.run_id IS NULL, $new, $known), changed.customer_id, changed.report, changed.logical_date,
    changed.run_id, pointer.run_id, changed.schema_version, changed.record_count, changed.seal_sha256, $at, $contract
FROM changed_partitions AS changed LEFT JOIN gads.pointers AS pointer USING (report, customer_id, logical_date);

-- name: delete_pointers
DELETE FROM gads.pointers AS pointer USING changed_partitions AS changed
WHERE pointer.report = changed.report AND pointer.customer_id = changed.customer_id
    AND pointer.logical_date = changed.logical_date;

-- name: insert_pointers
INSERT INTO gads.pointers SELECT *, ?, ? FROM changed_partitions WHERE run_id IS NOT NULL;

-- name: delete_rows
DELETE FROM {table} AS old USING changed_partitions AS changed
WHERE old._customer_id = changed.customer_id AND old._logical_date = changed.logical_date;

-- name: insert_load
INSERT INTO gads.loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
