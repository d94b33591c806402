//! What tests outside the store ask a server, and the steps of a schema that do not exist yet.

use crate::Server;

/// A step as a later version may take it: it adds, and takes nothing away.
pub const LATER_STEP: &str = "ALTER TABLE setting ADD COLUMN remark TEXT;
    ALTER TABLE pending_event ADD COLUMN remark BIGINT NOT NULL DEFAULT 7;
    CREATE TABLE later (id BIGINT PRIMARY KEY)";
/// What another build may have made of the same step.
pub const OTHER_STEP: &str = "CREATE TABLE something_else (id BIGINT PRIMARY KEY)";

impl Server {
    /// How many steps the schema of a database has taken.
    pub fn steps(&self, database: &str) -> u32 {
        self.sql(database, "SELECT COUNT(*) FROM schema_step").parse().unwrap()
    }

    /// Ends every session in a database.
    pub fn disconnect(&self, database: &str) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.sql(database, sql);
    }

    /// Whether a user may do more on the server than own a database.
    pub fn is_privileged(&self, user: &str) -> bool {
        let may = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls";
        let sql = format!("SELECT {may} FROM pg_roles WHERE rolname = '{user}'");
        self.sql("postgres", &sql) == "t"
    }

    /// Whether every session of the program is one of this user, and there is one.
    pub fn serves_only(&self, user: &str) -> bool {
        let sql = format!(
            "SELECT COUNT(*) > 0 AND bool_and(usename = '{user}') FROM pg_stat_activity
             WHERE application_name = 'chancery'"
        );
        self.sql("postgres", &sql) == "t"
    }

    /// Makes what sessions of a database tell each other go nowhere, those that begin after this:
    /// another `pg_notify` stands before that of the server, and writes down who called it.
    pub fn deafen(&self, database: &str) {
        let sql = format!(
            "CREATE SCHEMA deaf;
             CREATE TABLE deaf.told (who TEXT);
             CREATE FUNCTION public.pg_notify(TEXT, TEXT) RETURNS void
                 LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO deaf.told VALUES ($2)';
             ALTER DATABASE {database} SET search_path = public, pg_catalog"
        );
        self.sql(database, &sql);
    }

    /// How many nodes have told something since then that nobody heard.
    pub fn unheard(&self, database: &str) -> u32 {
        let sql = "SELECT COUNT(DISTINCT who) FROM deaf.told WHERE who <> 'alive'";
        self.sql(database, sql).parse().unwrap()
    }

    /// Makes each batch that is sealed in a database take this long, in milliseconds: events come in
    /// meanwhile, and the sealer never finds that none is left.
    pub fn slow_down_sealing(&self, database: &str, milliseconds: u32) {
        let seconds = f64::from(milliseconds) / 1_000.0;
        let sql = format!(
            "CREATE FUNCTION public.wait() RETURNS trigger
                 LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END';
             CREATE TRIGGER wait AFTER DELETE ON pending_event
                 FOR EACH STATEMENT EXECUTE FUNCTION public.wait()"
        );
        self.sql(database, &sql);
    }
}
