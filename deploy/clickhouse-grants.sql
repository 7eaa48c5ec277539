-- What the router needs in ClickHouse, and no more.
--
-- UNPROVEN: the development engine has no access control, so these statements have been read and not run. They are
-- written for ClickHouse 24.8, whose grants have no patterns for database names: the rights are on all databases. From
-- 24.10 on write client_*.* instead of *.* to keep them to the clients'.
--
--   clickhouse-client --multiquery < deploy/clickhouse-grants.sql
--   clickhouse-client --query "CREATE USER router IDENTIFIED BY '…' DEFAULT ROLE router_run"
--   clickhouse-client --query "CREATE USER alice IDENTIFIED BY '…' DEFAULT ROLE router_run, router_operator"

-- `router run`: inserts, and reads back what of a batch is there before it inserts again.
CREATE ROLE IF NOT EXISTS router_run SETTINGS readonly = 0;
GRANT SELECT, INSERT, SHOW DATABASES, SHOW TABLES, SHOW COLUMNS ON *.* TO router_run;
-- The neutral write, by which the router tells the server's trouble from one client's. Included above; named here for those
-- who narrow that to client_*.* (24.10 or later).
GRANT INSERT ON router_internal.write_probe TO router_run;
-- Whether a query of unknown outcome is still under way, and which settings this server knows.
GRANT SELECT ON system.processes TO router_run;
GRANT SELECT ON system.settings TO router_run;

-- Operators: provision, migrate, deprovision, audit, doctor.
CREATE ROLE IF NOT EXISTS router_operator SETTINGS readonly = 0;
GRANT CREATE DATABASE, DROP DATABASE, CREATE TABLE, DROP TABLE, CREATE VIEW, DROP VIEW, ALTER TABLE, ALTER VIEW,
      SELECT, INSERT, SHOW ON *.* TO router_operator;
-- The table of the neutral write: included above as well.
GRANT CREATE DATABASE, CREATE TABLE, INSERT ON router_internal.* TO router_operator;
-- Checks of doctor, and waiting for mutations.
GRANT SELECT ON system.disks TO router_operator;
GRANT SELECT ON system.databases TO router_operator;
GRANT SELECT ON system.tables TO router_operator;
GRANT SELECT ON system.columns TO router_operator;
GRANT SELECT ON system.parts TO router_operator;
GRANT SELECT ON system.mutations TO router_operator;
GRANT SELECT ON system.settings TO router_operator;
GRANT SELECT ON system.merge_tree_settings TO router_operator;
