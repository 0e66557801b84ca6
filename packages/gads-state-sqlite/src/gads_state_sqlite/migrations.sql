-- The tables, as migrations from one version to the next. New ones are added at the end; none is ever edited.

-- name: version_1
PRAGMA application_id = 1195459667;
CREATE TABLE ledger_meta (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    ledger_id TEXT NOT NULL,
    created_at TEXT NOT NULL CHECK (created_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
) STRICT;
CREATE TABLE partition_state (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    status TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
    current_run_id TEXT,
    schema_version INTEGER,
    record_count INTEGER CHECK (record_count >= 0),
    seal_sha256 TEXT CHECK (length(seal_sha256) = 64),
    attempt_count INTEGER NOT NULL CHECK (attempt_count >= 0),
    updated_at TEXT NOT NULL CHECK (updated_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    last_error TEXT,
    version INTEGER NOT NULL CHECK (version >= 1),
    PRIMARY KEY (source, customer_id, report, logical_date),
    CHECK ((status = 'success') = (current_run_id IS NOT NULL)),
    CHECK (current_run_id IS NOT NULL
        OR (schema_version IS NULL AND record_count IS NULL AND seal_sha256 IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX partition_state_not_success
ON partition_state (source, customer_id, report, logical_date, status)
WHERE status <> 'success';
CREATE INDEX partition_state_by_date ON partition_state (logical_date);
CREATE TRIGGER partition_state_never_deleted BEFORE DELETE ON partition_state
BEGIN SELECT RAISE(ABORT, 'a partition is never forgotten'); END;
CREATE TABLE attempts (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    version INTEGER NOT NULL CHECK (version >= 1),
    run_id TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'rejected', 'unsealed')),
    judged_at TEXT NOT NULL CHECK (judged_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    checks TEXT NOT NULL CHECK (json_valid(checks)),
    failure TEXT CHECK (failure IS NULL OR json_valid(failure)),
    schema_version INTEGER,
    record_count INTEGER CHECK (record_count >= 0),
    seal_sha256 TEXT,
    content_sha256 TEXT,
    changes TEXT CHECK (changes IS NULL OR json_valid(changes)),
    PRIMARY KEY (source, customer_id, report, logical_date, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER attempts_never_updated BEFORE UPDATE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts only grows'); END;
CREATE TRIGGER attempts_never_deleted BEFORE DELETE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts only grows'); END;
CREATE TABLE authority_log (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    from_run TEXT,
    to_run TEXT,
    status_before TEXT NOT NULL CHECK (status_before IN ('pending', 'success', 'failed')),
    status_after TEXT NOT NULL CHECK (status_after IN ('pending', 'success', 'failed')),
    schema_version INTEGER,
    record_count INTEGER,
    seal_sha256 TEXT,
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    cause TEXT NOT NULL,
    CHECK (status_before <> status_after OR from_run IS NOT to_run),
    CHECK ((status_after = 'success') = (to_run IS NOT NULL))
) STRICT;
CREATE INDEX authority_log_by_key ON authority_log (source, customer_id, report, logical_date, sequence);
CREATE TRIGGER authority_log_never_updated BEFORE UPDATE ON authority_log
BEGIN SELECT RAISE(ABORT, 'authority_log only grows'); END;
CREATE TRIGGER authority_log_never_deleted BEFORE DELETE ON authority_log
BEGIN SELECT RAISE(ABORT, 'authority_log only grows'); END;
CREATE TABLE operator_acts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    kind TEXT NOT NULL,
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    reason TEXT NOT NULL,
    status_before TEXT NOT NULL CHECK (status_before IN ('pending', 'success', 'failed')),
    status_after TEXT NOT NULL CHECK (status_after IN ('pending', 'success', 'failed'))
) STRICT;
CREATE INDEX operator_acts_by_key ON operator_acts (source, customer_id, report, logical_date, sequence);
CREATE TRIGGER operator_acts_never_updated BEFORE UPDATE ON operator_acts
BEGIN SELECT RAISE(ABORT, 'operator_acts only grows'); END;
CREATE TRIGGER operator_acts_never_deleted BEFORE DELETE ON operator_acts
BEGIN SELECT RAISE(ABORT, 'operator_acts only grows'); END;
CREATE TABLE schema_pins (
    source TEXT NOT NULL,
    report TEXT NOT NULL,
    schema_version INTEGER NOT NULL CHECK (schema_version >= 1),
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    columns TEXT NOT NULL CHECK (json_valid(columns)),
    PRIMARY KEY (source, report, schema_version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER schema_pins_never_updated BEFORE UPDATE ON schema_pins
BEGIN SELECT RAISE(ABORT, 'schema_pins only grows'); END;
CREATE TRIGGER schema_pins_never_deleted BEFORE DELETE ON schema_pins
BEGIN SELECT RAISE(ABORT, 'schema_pins only grows'); END;

-- name: version_2
ALTER TABLE operator_acts ADD COLUMN filter TEXT NOT NULL DEFAULT '';
ALTER TABLE operator_acts ADD COLUMN by_policy INTEGER NOT NULL DEFAULT 0 CHECK (by_policy IN (0, 1));
ALTER TABLE operator_acts ADD COLUMN before TEXT NOT NULL DEFAULT '';
ALTER TABLE operator_acts ADD COLUMN after TEXT NOT NULL DEFAULT '';
-- The version of the row that the act left: results above it came later, whatever the clocks say.
ALTER TABLE operator_acts ADD COLUMN row_version INTEGER NOT NULL DEFAULT 0 CHECK (row_version >= 0);
CREATE TABLE marks (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    held INTEGER NOT NULL CHECK (held IN (0, 1)),
    terminal INTEGER NOT NULL CHECK (terminal IN (0, 1)),
    PRIMARY KEY (source, customer_id, report, logical_date)
) STRICT, WITHOUT ROWID;
CREATE TABLE revocations (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    run_id TEXT NOT NULL,
    ordered_at TEXT NOT NULL CHECK (ordered_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    PRIMARY KEY (source, customer_id, report, logical_date, run_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER revocations_never_updated BEFORE UPDATE ON revocations
BEGIN SELECT RAISE(ABORT, 'revocations only grows'); END;
CREATE TRIGGER revocations_never_deleted BEFORE DELETE ON revocations
BEGIN SELECT RAISE(ABORT, 'revocations only grows'); END;
CREATE TABLE leases (
    scope TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    number INTEGER NOT NULL UNIQUE CHECK (number >= 1),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
) STRICT;
CREATE TABLE quota_days (
    budget TEXT NOT NULL,
    day TEXT NOT NULL CHECK (date(day, '+0 days') IS day),
    spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    exhausted INTEGER NOT NULL DEFAULT 0 CHECK (exhausted IN (0, 1)),
    PRIMARY KEY (budget, day)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER leases_are_fenced BEFORE UPDATE ON leases
WHEN NEW.number < OLD.number
BEGIN SELECT RAISE(ABORT, 'the number of a lease never falls'); END;
CREATE TRIGGER quota_is_spent BEFORE UPDATE ON quota_days
WHEN NEW.spent < OLD.spent
BEGIN SELECT RAISE(ABORT, 'what was spent stays spent'); END;

-- name: version_3
-- `results` is the number of validation results of the run that are not revoked.
CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    results INTEGER NOT NULL CHECK (results >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO runs (run_id, results)
SELECT run_id, count(*) FROM attempts AS a
WHERE NOT EXISTS (
    SELECT 1 FROM revocations AS r
    WHERE r.source = a.source AND r.customer_id = a.customer_id AND r.report = a.report
        AND r.logical_date = a.logical_date AND r.run_id = a.run_id
)
GROUP BY run_id;
-- Triggers keep the counts, so that no statement can record a result or a revocation without them.
CREATE TRIGGER runs_count_results AFTER INSERT ON attempts
WHEN NOT EXISTS (
    SELECT 1 FROM revocations AS r
    WHERE r.source = NEW.source AND r.customer_id = NEW.customer_id AND r.report = NEW.report
        AND r.logical_date = NEW.logical_date AND r.run_id = NEW.run_id
)
BEGIN
    INSERT INTO runs (run_id, results) VALUES (NEW.run_id, 1)
    ON CONFLICT (run_id) DO UPDATE SET results = results + 1;
END;
CREATE TRIGGER runs_lose_revoked_results AFTER INSERT ON revocations
BEGIN
    UPDATE runs SET results = results - (
        SELECT count(*) FROM attempts AS a
        WHERE a.source = NEW.source AND a.customer_id = NEW.customer_id AND a.report = NEW.report
            AND a.logical_date = NEW.logical_date AND a.run_id = NEW.run_id
    ) WHERE run_id = NEW.run_id;
END;

-- name: version_4
CREATE TABLE account_lists (
    source TEXT NOT NULL PRIMARY KEY,
    drawn_at TEXT NOT NULL CHECK (drawn_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
) STRICT, WITHOUT ROWID;
CREATE TABLE listed_accounts (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    manager_path TEXT NOT NULL CHECK (json_valid(manager_path)),
    status TEXT NOT NULL,
    selected INTEGER NOT NULL CHECK (selected IN (0, 1)),
    skipped TEXT NOT NULL,
    first_listed_at TEXT NOT NULL CHECK (first_listed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    last_listed_at TEXT NOT NULL CHECK (last_listed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    PRIMARY KEY (source, customer_id)
) STRICT, WITHOUT ROWID;
-- A report that is no longer expected, and later is again, has a second period.
CREATE TABLE expectations (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    period INTEGER NOT NULL CHECK (period >= 1),
    first_day TEXT NOT NULL CHECK (date(first_day, '+0 days') IS first_day),
    last_day TEXT CHECK (last_day IS NULL OR date(last_day, '+0 days') IS last_day),
    closed TEXT NOT NULL,
    PRIMARY KEY (source, customer_id, report, period),
    CHECK ((last_day IS NULL) = (closed = ''))
) STRICT, WITHOUT ROWID;

-- name: version_5
ALTER TABLE partition_state ADD COLUMN held_run_id TEXT;
ALTER TABLE attempts ADD COLUMN vanished_rows REAL CHECK (vanished_rows > 0 AND vanished_rows <= 1);
CREATE INDEX partition_state_held
ON partition_state (source, customer_id, report, logical_date) WHERE held_run_id IS NOT NULL;
CREATE TABLE acceptances (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    run_id TEXT NOT NULL,
    accepted_at TEXT NOT NULL CHECK (accepted_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    PRIMARY KEY (source, customer_id, report, logical_date, run_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER acceptances_never_updated BEFORE UPDATE ON acceptances
BEGIN SELECT RAISE(ABORT, 'acceptances only grows'); END;
CREATE TRIGGER acceptances_never_deleted BEFORE DELETE ON acceptances
BEGIN SELECT RAISE(ABORT, 'acceptances only grows'); END;

-- name: version_6
-- The days that are success, as ranges without a hole: whether a year is complete is one row, and not 365.
CREATE TABLE success_ranges (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    first_day TEXT NOT NULL CHECK (date(first_day, '+0 days') IS first_day),
    last_day TEXT NOT NULL CHECK (date(last_day, '+0 days') IS last_day),
    PRIMARY KEY (source, customer_id, report, first_day),
    CHECK (first_day <= last_day)
) STRICT, WITHOUT ROWID;
INSERT INTO success_ranges (source, customer_id, report, first_day, last_day)
SELECT source, customer_id, report, min(logical_date), max(logical_date) FROM (
    SELECT source, customer_id, report, logical_date,
        julianday(logical_date) - row_number() OVER (
            PARTITION BY source, customer_id, report ORDER BY logical_date
        ) AS island
    FROM partition_state WHERE status = 'success'
)
GROUP BY source, customer_id, report, island;
-- Triggers keep the ranges, so that no statement can change a status without them.
CREATE TRIGGER success_ranges_start_with_a_row AFTER INSERT ON partition_state
WHEN NEW.status = 'success'
BEGIN
    INSERT INTO success_ranges (source, customer_id, report, first_day, last_day) VALUES (
        NEW.source, NEW.customer_id, NEW.report,
        coalesce((
            SELECT first_day FROM (
                SELECT first_day, last_day FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
                    AND report = NEW.report AND first_day < NEW.logical_date ORDER BY first_day DESC LIMIT 1
            ) WHERE last_day = date(NEW.logical_date, '-1 day')
        ), NEW.logical_date),
        coalesce((
            SELECT last_day FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
                AND report = NEW.report AND first_day = date(NEW.logical_date, '+1 day')
        ), NEW.logical_date)
    ) ON CONFLICT (source, customer_id, report, first_day) DO UPDATE SET last_day = excluded.last_day;
    DELETE FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
        AND report = NEW.report AND first_day = date(NEW.logical_date, '+1 day');
END;
CREATE TRIGGER success_ranges_grow AFTER UPDATE OF status ON partition_state
WHEN NEW.status = 'success' AND OLD.status <> 'success'
BEGIN
    INSERT INTO success_ranges (source, customer_id, report, first_day, last_day) VALUES (
        NEW.source, NEW.customer_id, NEW.report,
        coalesce((
            SELECT first_day FROM (
                SELECT first_day, last_day FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
                    AND report = NEW.report AND first_day < NEW.logical_date ORDER BY first_day DESC LIMIT 1
            ) WHERE last_day = date(NEW.logical_date, '-1 day')
        ), NEW.logical_date),
        coalesce((
            SELECT last_day FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
                AND report = NEW.report AND first_day = date(NEW.logical_date, '+1 day')
        ), NEW.logical_date)
    ) ON CONFLICT (source, customer_id, report, first_day) DO UPDATE SET last_day = excluded.last_day;
    DELETE FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
        AND report = NEW.report AND first_day = date(NEW.logical_date, '+1 day');
END;
CREATE TRIGGER success_ranges_shrink AFTER UPDATE OF status ON partition_state
WHEN NEW.status <> 'success' AND OLD.status = 'success'
BEGIN
    INSERT INTO success_ranges (source, customer_id, report, first_day, last_day)
    SELECT source, customer_id, report, date(NEW.logical_date, '+1 day'), last_day FROM success_ranges
    WHERE source = NEW.source AND customer_id = NEW.customer_id AND report = NEW.report
        AND first_day <= NEW.logical_date AND last_day > NEW.logical_date;
    UPDATE success_ranges SET last_day = date(NEW.logical_date, '-1 day')
    WHERE source = NEW.source AND customer_id = NEW.customer_id AND report = NEW.report
        AND first_day < NEW.logical_date AND last_day >= NEW.logical_date;
    DELETE FROM success_ranges WHERE source = NEW.source AND customer_id = NEW.customer_id
        AND report = NEW.report AND first_day = NEW.logical_date;
END;

-- name: version_7
-- A row counts until 24 hours after its span of five minutes; `last_at` is the latest moment at which it was spent.
CREATE TABLE spent_operations (
    budget TEXT NOT NULL,
    span TEXT NOT NULL CHECK (span GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    operations INTEGER NOT NULL CHECK (operations >= 1),
    last_at TEXT NOT NULL CHECK (last_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    PRIMARY KEY (budget, span)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER operations_stay_spent BEFORE UPDATE ON spent_operations
WHEN NEW.operations < OLD.operations OR NEW.last_at < OLD.last_at
BEGIN SELECT RAISE(ABORT, 'what was spent stays spent'); END;
CREATE TABLE rests (
    budget TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    not_before TEXT NOT NULL CHECK (not_before GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    reason TEXT NOT NULL,
    PRIMARY KEY (budget, customer_id, report)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER rests_are_not_shortened BEFORE UPDATE ON rests
WHEN NEW.not_before < OLD.not_before
BEGIN SELECT RAISE(ABORT, 'a rest ends by time alone'); END;
-- A day was one of a zone that is not on record: it was over when it was over everywhere, and is not later than now.
-- Its mark that the API had refused more had no time; the API names it anew.
INSERT INTO spent_operations (budget, span, operations, last_at)
SELECT budget, at, sum(spent), at FROM (
    SELECT budget, spent,
        strftime('%Y-%m-%dT%H:%M:00.000000Z', min(julianday(day, '+36 hours'), julianday('now'))) AS at
    FROM quota_days WHERE spent > 0
) GROUP BY budget, at;
DROP TABLE quota_days;

-- name: version_8
-- The last run that found the rows of the authoritative run again. When another run becomes authoritative, what the row
-- says of the former one goes to its results.
ALTER TABLE partition_state ADD COLUMN confirmed_run_id TEXT;
ALTER TABLE partition_state ADD COLUMN confirmed_at TEXT CHECK ((confirmed_at IS NULL) = (confirmed_run_id IS NULL) AND confirmed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z');
ALTER TABLE attempts ADD COLUMN confirmed_by TEXT;
ALTER TABLE attempts ADD COLUMN confirmed_at TEXT;
DROP TRIGGER attempts_never_updated;
CREATE TRIGGER attempts_never_updated BEFORE UPDATE OF
    source, customer_id, report, logical_date, version, run_id, outcome, judged_at, checks, failure, schema_version,
    record_count, seal_sha256, content_sha256, changes, vanished_rows
ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts only grows'); END;
CREATE TRIGGER attempts_stay_confirmed BEFORE UPDATE OF confirmed_by, confirmed_at ON attempts
WHEN NEW.confirmed_by IS NULL OR NEW.confirmed_at IS NULL OR NEW.confirmed_by < OLD.confirmed_by
BEGIN SELECT RAISE(ABORT, 'a confirmation is never taken back'); END;
CREATE TRIGGER attempts_keep_confirmations AFTER UPDATE OF current_run_id ON partition_state
WHEN OLD.confirmed_run_id IS NOT NULL AND NEW.current_run_id IS NOT OLD.current_run_id
BEGIN
    UPDATE attempts SET confirmed_by = OLD.confirmed_run_id, confirmed_at = OLD.confirmed_at
    WHERE source = OLD.source AND customer_id = OLD.customer_id AND report = OLD.report
        AND logical_date = OLD.logical_date AND run_id = OLD.current_run_id AND outcome = 'passed';
END;

-- name: version_9
-- The tombstones of erased accounts. While one is in force, and then alone, rows of its account may be deleted.
CREATE TABLE erasures (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    reason TEXT NOT NULL,
    partitions INTEGER NOT NULL CHECK (partitions >= 0),
    results INTEGER NOT NULL CHECK (results >= 0),
    changes INTEGER NOT NULL CHECK (changes >= 0),
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    elsewhere TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(elsewhere)),
    cleared_at TEXT,
    ended_at TEXT,
    readmitted_at TEXT,
    readmitted_by TEXT,
    readmitted_command TEXT,
    readmitted_reason TEXT,
    CHECK (ended_at IS NULL OR cleared_at IS NOT NULL),
    CHECK (readmitted_at IS NULL OR ended_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX erasures_in_force ON erasures (source, customer_id) WHERE readmitted_at IS NULL;
CREATE TRIGGER erasures_never_deleted BEFORE DELETE ON erasures
BEGIN SELECT RAISE(ABORT, 'an erasure stays on record'); END;
-- What cursors are compared with whose change an erasure has removed.
CREATE TABLE erased_changes (
    sequence INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 12)
) STRICT;
DROP TRIGGER partition_state_never_deleted;
CREATE TRIGGER partition_state_never_deleted BEFORE DELETE ON partition_state
WHEN NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'a partition is never forgotten'); END;
DROP TRIGGER attempts_never_deleted;
CREATE TRIGGER attempts_never_deleted BEFORE DELETE ON attempts
WHEN NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'attempts only grows'); END;
DROP TRIGGER authority_log_never_deleted;
CREATE TRIGGER authority_log_never_deleted BEFORE DELETE ON authority_log
WHEN OLD.cause = 'erase' OR NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'authority_log only grows'); END;
DROP TRIGGER operator_acts_never_deleted;
CREATE TRIGGER operator_acts_never_deleted BEFORE DELETE ON operator_acts
WHEN NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'operator_acts only grows'); END;
DROP TRIGGER revocations_never_deleted;
CREATE TRIGGER revocations_never_deleted BEFORE DELETE ON revocations
WHEN NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'revocations only grows'); END;
DROP TRIGGER acceptances_never_deleted;
CREATE TRIGGER acceptances_never_deleted BEFORE DELETE ON acceptances
WHEN NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'acceptances only grows'); END;
CREATE TRIGGER runs_lose_erased_results AFTER DELETE ON attempts
WHEN NOT EXISTS (
    SELECT 1 FROM revocations AS r
    WHERE r.source = OLD.source AND r.customer_id = OLD.customer_id AND r.report = OLD.report
        AND r.logical_date = OLD.logical_date AND r.run_id = OLD.run_id
)
BEGIN
    UPDATE runs SET results = results - 1 WHERE run_id = OLD.run_id;
END;
CREATE TRIGGER success_ranges_go AFTER DELETE ON partition_state
BEGIN
    DELETE FROM success_ranges
    WHERE source = OLD.source AND customer_id = OLD.customer_id AND report = OLD.report;
END;

-- name: version_10
-- The compact tables beside those that they take the place of. `conversion.py` copies the rows in many transactions, and
-- version 11 is the exchange: until then every reader reads the former tables, and no process writes them.
-- Times are microseconds since 1970, sums are bytes, and a run and an account's report are numbers.
CREATE TABLE account_reports (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    UNIQUE (source, customer_id, report)
) STRICT;
CREATE TABLE run_numbers (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    results INTEGER NOT NULL DEFAULT 0 CHECK (results >= 0)
) STRICT;
-- The lists of checks of which all held, as JSON.
CREATE TABLE check_lists (
    id INTEGER PRIMARY KEY,
    checks TEXT NOT NULL UNIQUE CHECK (json_valid(checks))
) STRICT;
CREATE TABLE partitions (
    account_report INTEGER NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    status TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
    current_run INTEGER,
    schema_version INTEGER,
    record_count INTEGER CHECK (record_count >= 0),
    seal_sha256 BLOB CHECK (length(seal_sha256) = 32),
    attempt_count INTEGER NOT NULL CHECK (attempt_count >= 0),
    updated_at INTEGER NOT NULL,
    last_error TEXT,
    version INTEGER NOT NULL CHECK (version >= 1),
    held_run INTEGER,
    confirmed_run INTEGER,
    confirmed_at INTEGER,
    PRIMARY KEY (account_report, logical_date),
    CHECK ((status = 'success') = (current_run IS NOT NULL)),
    CHECK ((confirmed_at IS NULL) = (confirmed_run IS NULL)),
    CHECK (current_run IS NOT NULL
        OR (schema_version IS NULL AND record_count IS NULL AND seal_sha256 IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX partitions_not_success ON partitions (account_report, logical_date, status) WHERE status <> 'success';
CREATE INDEX partitions_held ON partitions (account_report, logical_date) WHERE held_run IS NOT NULL;
-- `checks` are there where one failed; of the others `check_list` is the list.
CREATE TABLE results (
    account_report INTEGER NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    version INTEGER NOT NULL CHECK (version >= 1),
    run INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'rejected', 'unsealed')),
    validated_at INTEGER NOT NULL,
    check_list INTEGER,
    checks TEXT CHECK (checks IS NULL OR json_valid(checks)),
    failure TEXT CHECK (failure IS NULL OR json_valid(failure)),
    schema_version INTEGER,
    record_count INTEGER CHECK (record_count >= 0),
    seal_sha256 BLOB,
    content_sha256 ANY,
    changes TEXT CHECK (changes IS NULL OR json_valid(changes)),
    vanished_rows REAL CHECK (vanished_rows > 0 AND vanished_rows <= 1),
    confirmed_by INTEGER,
    confirmed_at INTEGER,
    PRIMARY KEY (account_report, logical_date, version),
    CHECK ((checks IS NULL) = (check_list IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE authority_changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    account_report INTEGER NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    from_run INTEGER,
    to_run INTEGER,
    status_before TEXT NOT NULL CHECK (status_before IN ('pending', 'success', 'failed')),
    status_after TEXT NOT NULL CHECK (status_after IN ('pending', 'success', 'failed')),
    schema_version INTEGER,
    record_count INTEGER,
    seal_sha256 BLOB,
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    CHECK (status_before <> status_after OR from_run IS NOT to_run),
    CHECK ((status_after = 'success') = (to_run IS NOT NULL))
) STRICT;
CREATE INDEX authority_changes_by_key ON authority_changes (account_report, logical_date, sequence);
CREATE TABLE conversion (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    partitions INTEGER NOT NULL,
    converted INTEGER NOT NULL DEFAULT 0,
    source ANY NOT NULL DEFAULT '',
    customer_id TEXT NOT NULL DEFAULT '',
    report TEXT NOT NULL DEFAULT '',
    logical_date TEXT NOT NULL DEFAULT '',
    sequence INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO conversion (only_row, partitions) SELECT 1, count(*) FROM partition_state;
CREATE TRIGGER partition_state_converted_i BEFORE INSERT ON partition_state
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER partition_state_converted_u BEFORE UPDATE ON partition_state
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER partition_state_converted_d BEFORE DELETE ON partition_state
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER attempts_converted_i BEFORE INSERT ON attempts
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER attempts_converted_d BEFORE DELETE ON attempts
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER authority_log_converted_i BEFORE INSERT ON authority_log
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER authority_log_converted_d BEFORE DELETE ON authority_log
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;
CREATE TRIGGER revocations_converted BEFORE INSERT ON revocations
BEGIN SELECT RAISE(ABORT, 'a later version is converting the ledger'); END;

-- name: version_11
-- The compact tables take their place; the former names are views of what they say. The former tables are emptied by
-- `reclaim.py`.
DROP TRIGGER partition_state_converted_i;
DROP TRIGGER partition_state_converted_u;
DROP TRIGGER partition_state_converted_d;
DROP TRIGGER partition_state_never_deleted;
DROP TRIGGER success_ranges_start_with_a_row;
DROP TRIGGER success_ranges_grow;
DROP TRIGGER success_ranges_shrink;
DROP TRIGGER success_ranges_go;
DROP TRIGGER attempts_converted_i;
DROP TRIGGER attempts_converted_d;
DROP TRIGGER runs_lose_erased_results;
DROP TRIGGER attempts_never_updated;
DROP TRIGGER attempts_never_deleted;
DROP TRIGGER attempts_stay_confirmed;
DROP TRIGGER attempts_keep_confirmations;
DROP TRIGGER authority_log_converted_i;
DROP TRIGGER authority_log_converted_d;
DROP TRIGGER authority_log_never_updated;
DROP TRIGGER authority_log_never_deleted;
DROP TRIGGER revocations_converted;
DROP TRIGGER runs_count_results;
DROP TRIGGER runs_lose_revoked_results;
DROP INDEX partition_state_not_success;
DROP INDEX partition_state_held;
INSERT INTO run_numbers (run_id, results) SELECT run_id, results FROM runs WHERE 1
ON CONFLICT (run_id) DO UPDATE SET results = excluded.results;
DROP TABLE runs;
ALTER TABLE run_numbers RENAME TO runs;
CREATE INDEX runs_with_results ON runs (run_id) WHERE results > 0;
CREATE TABLE success_days (
    account_report INTEGER NOT NULL,
    first_day TEXT NOT NULL CHECK (date(first_day, '+0 days') IS first_day),
    last_day TEXT NOT NULL CHECK (date(last_day, '+0 days') IS last_day),
    PRIMARY KEY (account_report, first_day),
    CHECK (first_day <= last_day)
) STRICT, WITHOUT ROWID;
INSERT INTO success_days (account_report, first_day, last_day)
SELECT k.id, s.first_day, s.last_day FROM success_ranges AS s JOIN account_reports AS k
    ON k.source = s.source AND k.customer_id = s.customer_id AND k.report = s.report;
DROP TABLE success_ranges;
DROP TABLE conversion;
-- Numbers go on where they were, also after an erasure of the last changes.
DELETE FROM sqlite_sequence WHERE name = 'authority_changes';
INSERT INTO sqlite_sequence (name, seq) SELECT 'authority_changes', seq FROM sqlite_sequence WHERE name = 'authority_log';
ALTER TABLE partition_state RENAME TO former_partition_state;
ALTER TABLE attempts RENAME TO former_attempts;
ALTER TABLE authority_log RENAME TO former_authority_log;
CREATE VIEW partition_state AS
SELECT k.source, k.customer_id, k.report, p.logical_date, p.status,
    (SELECT run_id FROM runs WHERE id = p.current_run) AS current_run_id, p.schema_version, p.record_count,
    p.seal_sha256, p.attempt_count, p.updated_at, p.last_error, p.version,
    (SELECT run_id FROM runs WHERE id = p.held_run) AS held_run_id,
    (SELECT run_id FROM runs WHERE id = p.confirmed_run) AS confirmed_run_id, p.confirmed_at, p.account_report
FROM account_reports AS k JOIN partitions AS p ON p.account_report = k.id;
CREATE VIEW partition_state_not_success AS
SELECT k.source, k.customer_id, k.report, p.logical_date, p.status,
    (SELECT run_id FROM runs WHERE id = p.current_run) AS current_run_id, p.schema_version, p.record_count,
    p.seal_sha256, p.attempt_count, p.updated_at, p.last_error, p.version,
    (SELECT run_id FROM runs WHERE id = p.held_run) AS held_run_id,
    (SELECT run_id FROM runs WHERE id = p.confirmed_run) AS confirmed_run_id, p.confirmed_at, p.account_report
FROM account_reports AS k JOIN partitions AS p INDEXED BY partitions_not_success ON p.account_report = k.id
WHERE p.status <> 'success';
CREATE VIEW partition_state_held AS
SELECT k.source, k.customer_id, k.report, p.logical_date, p.status,
    (SELECT run_id FROM runs WHERE id = p.current_run) AS current_run_id, p.schema_version, p.record_count,
    p.seal_sha256, p.attempt_count, p.updated_at, p.last_error, p.version,
    (SELECT run_id FROM runs WHERE id = p.held_run) AS held_run_id,
    (SELECT run_id FROM runs WHERE id = p.confirmed_run) AS confirmed_run_id, p.confirmed_at, p.account_report
FROM account_reports AS k JOIN partitions AS p INDEXED BY partitions_held ON p.account_report = k.id
WHERE p.held_run IS NOT NULL;
CREATE VIEW attempts AS
SELECT k.source, k.customer_id, k.report, r.logical_date, r.version, (SELECT run_id FROM runs WHERE id = r.run) AS run_id,
    r.outcome, r.validated_at AS judged_at,
    coalesce(r.checks, (SELECT checks FROM check_lists WHERE id = r.check_list)) AS checks, r.failure, r.schema_version,
    r.record_count, r.seal_sha256, r.content_sha256, r.changes,
    r.vanished_rows, (SELECT run_id FROM runs WHERE id = r.confirmed_by) AS confirmed_by, r.confirmed_at, r.account_report
FROM account_reports AS k JOIN results AS r ON r.account_report = k.id;
CREATE VIEW authority_log AS
SELECT c.sequence, k.source, k.customer_id, k.report, c.logical_date,
    (SELECT run_id FROM runs WHERE id = c.from_run) AS from_run, (SELECT run_id FROM runs WHERE id = c.to_run) AS to_run,
    c.status_before, c.status_after, c.schema_version, c.record_count, c.seal_sha256, c.at,
    c.cause, c.account_report
FROM authority_changes AS c JOIN account_reports AS k ON k.id = c.account_report;
CREATE VIEW success_ranges AS
SELECT k.source, k.customer_id, k.report, s.first_day, s.last_day
FROM account_reports AS k JOIN success_days AS s ON s.account_report = k.id;
CREATE TRIGGER account_reports_never_updated BEFORE UPDATE ON account_reports
BEGIN SELECT RAISE(ABORT, 'account_reports only grows'); END;
CREATE TRIGGER check_lists_never_updated BEFORE UPDATE ON check_lists
BEGIN SELECT RAISE(ABORT, 'check_lists only grows'); END;
CREATE TRIGGER runs_keep_their_numbers BEFORE UPDATE OF id, run_id ON runs
BEGIN SELECT RAISE(ABORT, 'runs only grows'); END;
CREATE TRIGGER partitions_never_deleted BEFORE DELETE ON partitions
WHEN NOT EXISTS (
    SELECT 1 FROM account_reports AS k JOIN erasures AS e ON e.source = k.source AND e.customer_id = k.customer_id
    WHERE k.id = OLD.account_report AND e.readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'a partition is never forgotten'); END;
CREATE TRIGGER results_never_updated BEFORE UPDATE OF
    account_report, logical_date, version, run, outcome, validated_at, check_list, checks, failure, schema_version,
    record_count, seal_sha256, content_sha256, changes, vanished_rows
ON results
BEGIN SELECT RAISE(ABORT, 'results only grows'); END;
CREATE TRIGGER results_never_deleted BEFORE DELETE ON results
WHEN NOT EXISTS (
    SELECT 1 FROM account_reports AS k JOIN erasures AS e ON e.source = k.source AND e.customer_id = k.customer_id
    WHERE k.id = OLD.account_report AND e.readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'results only grows'); END;
CREATE TRIGGER results_stay_confirmed BEFORE UPDATE OF confirmed_by, confirmed_at ON results
WHEN NEW.confirmed_by IS NULL OR NEW.confirmed_at IS NULL
    OR (SELECT run_id FROM runs WHERE id = NEW.confirmed_by) < (SELECT run_id FROM runs WHERE id = OLD.confirmed_by)
BEGIN SELECT RAISE(ABORT, 'a confirmation is never taken back'); END;
CREATE TRIGGER results_keep_confirmations AFTER UPDATE OF current_run ON partitions
WHEN OLD.confirmed_run IS NOT NULL AND NEW.current_run IS NOT OLD.current_run
BEGIN
    UPDATE results SET confirmed_by = OLD.confirmed_run, confirmed_at = OLD.confirmed_at
    WHERE account_report = OLD.account_report AND logical_date = OLD.logical_date AND run = OLD.current_run
        AND outcome = 'passed';
END;
CREATE TRIGGER authority_changes_never_updated BEFORE UPDATE ON authority_changes
BEGIN SELECT RAISE(ABORT, 'authority_changes only grows'); END;
CREATE TRIGGER authority_changes_never_deleted BEFORE DELETE ON authority_changes
WHEN OLD.cause = 'erase' OR NOT EXISTS (
    SELECT 1 FROM account_reports AS k JOIN erasures AS e ON e.source = k.source AND e.customer_id = k.customer_id
    WHERE k.id = OLD.account_report AND e.readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'authority_changes only grows'); END;
CREATE TRIGGER runs_count_results AFTER INSERT ON results
WHEN NOT EXISTS (
    SELECT 1 FROM account_reports AS k JOIN revocations AS r
        ON r.source = k.source AND r.customer_id = k.customer_id AND r.report = k.report
    WHERE k.id = NEW.account_report AND r.logical_date = NEW.logical_date
        AND r.run_id = (SELECT run_id FROM runs WHERE id = NEW.run)
)
BEGIN
    UPDATE runs SET results = results + 1 WHERE id = NEW.run;
END;
CREATE TRIGGER runs_lose_revoked_results AFTER INSERT ON revocations
BEGIN
    UPDATE runs SET results = results - (
        SELECT count(*) FROM account_reports AS k JOIN results AS r ON r.account_report = k.id
        WHERE k.source = NEW.source AND k.customer_id = NEW.customer_id AND k.report = NEW.report
            AND r.logical_date = NEW.logical_date AND r.run = runs.id
    ) WHERE run_id = NEW.run_id;
END;
CREATE TRIGGER success_days_start_with_a_row AFTER INSERT ON partitions
WHEN NEW.status = 'success'
BEGIN
    INSERT INTO success_days (account_report, first_day, last_day) VALUES (
        NEW.account_report,
        coalesce((
            SELECT first_day FROM (
                SELECT first_day, last_day FROM success_days WHERE account_report = NEW.account_report
                    AND first_day < NEW.logical_date ORDER BY first_day DESC LIMIT 1
            ) WHERE last_day = date(NEW.logical_date, '-1 day')
        ), NEW.logical_date),
        coalesce((
            SELECT last_day FROM success_days WHERE account_report = NEW.account_report
                AND first_day = date(NEW.logical_date, '+1 day')
        ), NEW.logical_date)
    ) ON CONFLICT (account_report, first_day) DO UPDATE SET last_day = excluded.last_day;
    DELETE FROM success_days WHERE account_report = NEW.account_report AND first_day = date(NEW.logical_date, '+1 day');
END;
CREATE TRIGGER success_days_grow AFTER UPDATE OF status ON partitions
WHEN NEW.status = 'success' AND OLD.status <> 'success'
BEGIN
    INSERT INTO success_days (account_report, first_day, last_day) VALUES (
        NEW.account_report,
        coalesce((
            SELECT first_day FROM (
                SELECT first_day, last_day FROM success_days WHERE account_report = NEW.account_report
                    AND first_day < NEW.logical_date ORDER BY first_day DESC LIMIT 1
            ) WHERE last_day = date(NEW.logical_date, '-1 day')
        ), NEW.logical_date),
        coalesce((
            SELECT last_day FROM success_days WHERE account_report = NEW.account_report
                AND first_day = date(NEW.logical_date, '+1 day')
        ), NEW.logical_date)
    ) ON CONFLICT (account_report, first_day) DO UPDATE SET last_day = excluded.last_day;
    DELETE FROM success_days WHERE account_report = NEW.account_report AND first_day = date(NEW.logical_date, '+1 day');
END;
CREATE TRIGGER success_days_shrink AFTER UPDATE OF status ON partitions
WHEN NEW.status <> 'success' AND OLD.status = 'success'
BEGIN
    INSERT INTO success_days (account_report, first_day, last_day)
    SELECT account_report, date(NEW.logical_date, '+1 day'), last_day FROM success_days
    WHERE account_report = NEW.account_report AND first_day <= NEW.logical_date AND last_day > NEW.logical_date;
    UPDATE success_days SET last_day = date(NEW.logical_date, '-1 day')
    WHERE account_report = NEW.account_report AND first_day < NEW.logical_date AND last_day >= NEW.logical_date;
    DELETE FROM success_days WHERE account_report = NEW.account_report AND first_day = NEW.logical_date;
END;
CREATE TRIGGER runs_lose_erased_results AFTER DELETE ON results
WHEN NOT EXISTS (
    SELECT 1 FROM account_reports AS k JOIN revocations AS r
        ON r.source = k.source AND r.customer_id = k.customer_id AND r.report = k.report
    WHERE k.id = OLD.account_report AND r.logical_date = OLD.logical_date
        AND r.run_id = (SELECT run_id FROM runs WHERE id = OLD.run)
)
BEGIN
    UPDATE runs SET results = results - 1 WHERE id = OLD.run;
END;
CREATE TRIGGER success_days_go AFTER DELETE ON partitions
BEGIN
    DELETE FROM success_days WHERE account_report = OLD.account_report;
END;
-- Rows are deleted by what they say: an erasure's statements name the views.
CREATE TRIGGER partition_state_deleted INSTEAD OF DELETE ON partition_state
BEGIN
    DELETE FROM partitions WHERE account_report = OLD.account_report AND logical_date = OLD.logical_date;
END;
CREATE TRIGGER attempts_deleted INSTEAD OF DELETE ON attempts
BEGIN
    DELETE FROM results
    WHERE account_report = OLD.account_report AND logical_date = OLD.logical_date AND version = OLD.version;
END;
CREATE TRIGGER authority_log_deleted INSTEAD OF DELETE ON authority_log
BEGIN
    DELETE FROM authority_changes WHERE sequence = OLD.sequence;
END;

-- name: version_12
-- The acts by which runs were pruned: many runs share one.
CREATE TABLE prune_acts (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (at, actor, command, reason)
) STRICT;
CREATE TRIGGER prune_acts_never_updated BEFORE UPDATE ON prune_acts
BEGIN SELECT RAISE(ABORT, 'prune_acts only grows'); END;
CREATE TRIGGER prune_acts_never_deleted BEFORE DELETE ON prune_acts
BEGIN SELECT RAISE(ABORT, 'prune_acts only grows'); END;
CREATE TABLE pruned_runs (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    run_id TEXT NOT NULL,
    act INTEGER NOT NULL,
    seal_sha256 BLOB CHECK (length(seal_sha256) = 32),
    removed_at INTEGER,
    freed INTEGER CHECK (freed >= 0),
    PRIMARY KEY (source, customer_id, report, logical_date, run_id),
    CHECK ((freed IS NULL) = (removed_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX pruned_runs_open ON pruned_runs (source, customer_id, report, logical_date, run_id)
WHERE removed_at IS NULL;
CREATE TRIGGER pruned_runs_end_once BEFORE UPDATE ON pruned_runs
WHEN OLD.removed_at IS NOT NULL OR NEW.act <> OLD.act OR NEW.seal_sha256 IS NOT OLD.seal_sha256
BEGIN SELECT RAISE(ABORT, 'what was pruned stays pruned'); END;
CREATE TRIGGER pruned_runs_never_deleted BEFORE DELETE ON pruned_runs
WHEN NOT EXISTS (
    SELECT 1 FROM erasures WHERE source = OLD.source AND customer_id = OLD.customer_id AND readmitted_at IS NULL
)
BEGIN SELECT RAISE(ABORT, 'pruned_runs only grows'); END;
CREATE TABLE pins (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date),
    run_id TEXT NOT NULL,
    name TEXT NOT NULL,
    until TEXT NOT NULL CHECK (until GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    PRIMARY KEY (source, customer_id, report, logical_date, run_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX pins_by_name ON pins (name);

-- name: version_13
-- What processes say of themselves: no evidence of any partition, and old rows go. Times are in microseconds, as is the
-- interval.
CREATE TABLE heartbeats (
    process TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    beat_at INTEGER NOT NULL,
    interval INTEGER NOT NULL,
    doing TEXT NOT NULL,
    active_at INTEGER,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE rounds (
    process TEXT NOT NULL,
    command TEXT NOT NULL,
    run_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    planned INTEGER NOT NULL,
    ended_at INTEGER,
    ended TEXT NOT NULL,
    succeeded INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    operations INTEGER NOT NULL,
    message TEXT NOT NULL,
    number INTEGER PRIMARY KEY
) STRICT;
CREATE TABLE alerts (
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    claimed_at INTEGER,
    notified_at INTEGER,
    resolved_at INTEGER,
    PRIMARY KEY (rule, subject)
) STRICT, WITHOUT ROWID;
