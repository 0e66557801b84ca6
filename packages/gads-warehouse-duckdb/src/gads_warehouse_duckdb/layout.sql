-- The tables beside the rows, as contracts/warehouse/v1 names them.

-- name: tables
CREATE SCHEMA gads;
CREATE SCHEMA reporting;
CREATE SCHEMA google_ads;
CREATE TABLE gads.state (
    contract_version VARCHAR, source VARCHAR, ledger_id VARCHAR, position BIGINT, cursor VARCHAR, definitions VARCHAR,
    loaded_at TIMESTAMP, load_id BIGINT
);
CREATE TABLE gads.pointers (
    customer_id VARCHAR, report VARCHAR, logical_date DATE, run_id VARCHAR, schema_version INTEGER,
    record_count BIGINT, seal_sha256 VARCHAR, loaded_at TIMESTAMP, load_id BIGINT
);
CREATE TABLE gads.loads (
    load_id BIGINT, mode VARCHAR, position_before BIGINT, position BIGINT, loaded_at TIMESTAMP, added BIGINT,
    replaced BIGINT, removed BIGINT, record_count BIGINT, contract_version VARCHAR
);
CREATE TABLE gads.load_records (
    load_id BIGINT, action VARCHAR, customer_id VARCHAR, report VARCHAR, logical_date DATE, run_id VARCHAR,
    previous_run_id VARCHAR, schema_version INTEGER, record_count BIGINT, seal_sha256 VARCHAR, loaded_at TIMESTAMP,
    contract_version VARCHAR
);
CREATE TABLE gads.report_tables (
    report VARCHAR, schema_version INTEGER, table_name VARCHAR, columns VARCHAR
);
CREATE TABLE gads.catalogue (
    report VARCHAR, table_name VARCHAR, column_name VARCHAR, position INTEGER, data_type VARCHAR, category VARCHAR,
    field VARCHAR, schema_versions INTEGER[], meaning VARCHAR
);
CREATE TABLE gads.views (schema_name VARCHAR, view_name VARCHAR, meaning VARCHAR);

-- name: full_load
-- Files from before contract 1.1 lack it.
CREATE TABLE IF NOT EXISTS gads.full_load (position BIGINT, cursor VARCHAR, done BIGINT, remaining BIGINT);

-- name: expected
-- Files from before contract 1.2 lack them.
CREATE TABLE IF NOT EXISTS gads.account_list (
    drawn_at TIMESTAMP, due_seconds DOUBLE, accounts_max_age_seconds DOUBLE
);
CREATE TABLE IF NOT EXISTS gads.accounts (
    customer_id VARCHAR, name VARCHAR, currency VARCHAR, time_zone VARCHAR, manager_path VARCHAR[], status VARCHAR,
    selected BOOLEAN, skipped VARCHAR, first_listed_at TIMESTAMP, last_listed_at TIMESTAMP
);
CREATE TABLE IF NOT EXISTS gads.expectations (
    customer_id VARCHAR, report VARCHAR, first_day DATE, last_day DATE, closed VARCHAR, inferred BOOLEAN
);
CREATE TABLE IF NOT EXISTS gads.held (customer_id VARCHAR, report VARCHAR, logical_date DATE);
-- Files from before contract 1.3 lack it.
CREATE TABLE IF NOT EXISTS gads.due_by_report (report VARCHAR, due_seconds DOUBLE);

-- name: find_table
SELECT 1 FROM duckdb_tables()
WHERE schema_name = 'gads' AND table_name = ? AND database_name = current_database();

-- name: find_state_table
SELECT 1 FROM duckdb_tables()
WHERE schema_name = 'gads' AND table_name = 'state' AND NOT internal AND database_name = current_database();

-- name: taken_schemas
SELECT schema_name FROM duckdb_schemas()
WHERE database_name = current_database() AND schema_name IN ('gads', 'reporting', 'google_ads') ORDER BY schema_name;

-- name: tables_of_accounts
SELECT table_name FROM duckdb_columns()
WHERE schema_name = 'gads' AND column_name = 'customer_id' AND database_name = current_database()
    AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE schema_name = 'gads')
ORDER BY table_name;
