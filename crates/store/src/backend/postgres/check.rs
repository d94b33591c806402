//! Whether a server can be used at all, said so that one knows what to do.

use super::session::Unfit;
use crate::backend::settings::DatabaseUrl;
use crate::{Error, Link, Row};

/// The oldest version that works.
const VERSION_MIN: i64 = 150_000;

fn refuse(url: &DatabaseUrl, what: impl Into<String>) -> Error {
    Error::Server { place: url.place().to_owned(), what: what.into() }
}

/// Explains why there is no connection.
pub(super) fn reached(url: &DatabaseUrl, link: Result<Link, Unfit>) -> Result<Link, Error> {
    let error = match link {
        Ok(link) => return Ok(link),
        Err(Unfit::Wrong(what)) => return Err(refuse(url, what)),
        Err(Unfit::Away(error)) => error,
    };
    Err(match error {
        Error::Database { source, .. } => {
            let said = source.downcast_ref::<sqlx::Error>().and_then(|e| e.as_database_error());
            let code = said.and_then(|said| said.code());
            let message = said.map(|said| said.message().to_owned());
            let message = message.unwrap_or_else(|| source.to_string());
            let what = match code.as_deref() {
                Some("28P01" | "28000") => format!(
                    "{message}: check user and password (database URL, database_password_file or PGPASSWORD) and the server's pg_hba.conf"
                ),
                Some("3D000") => {
                    let options = &url.options;
                    let name = options.get_database().unwrap_or_default();
                    let owner = options.get_username();
                    format!(
                        "{message}: create it with: createdb --encoding=UTF8 --template=template0 --owner={owner} {name}"
                    )
                }
                Some("42501") => format!("{message}: grant the user CONNECT on the database"),
                _ => message,
            };
            refuse(url, what)
        }
        Error::Unavailable(what) => {
            refuse(url, format!("{what}: is the server running, and do host and port fit?"))
        }
        other => other,
    })
}

/// Refuses a server that is too old, cannot be written, or stores another encoding; and a user who
/// may not make tables, or not do with those that are there what has to be done.
pub(super) async fn server(link: &mut Link, url: &DatabaseUrl) -> Result<(), Error> {
    let sql = "SELECT CAST(current_setting('server_version_num') AS BIGINT) AS number,
                      current_setting('server_version') AS version,
                      current_setting('server_encoding') AS encoding,
                      pg_is_in_recovery() AS replica,
                      current_setting('transaction_read_only') AS read_only,
                      current_setting('synchronous_commit') AS durable,
                      coalesce(current_schema(), '') AS schema,
                      has_schema_privilege(current_schema(), 'CREATE') AS may_create,
                      current_user AS who";
    let row = link.row(sql, Vec::new()).await?;
    let row = row.ok_or_else(|| refuse(url, "the server does not tell what it is"))?;
    if row.int("number")? < VERSION_MIN {
        let version = row.text("version")?;
        return Err(refuse(
            url,
            format!("the server is PostgreSQL {version}; version 15 or later is needed"),
        ));
    }
    let encoding = row.text("encoding")?;
    if encoding != "UTF8" {
        return Err(refuse(
            url,
            format!(
                "the database has the encoding {encoding}, UTF8 is needed: create another one with: createdb --encoding=UTF8 --template=template0"
            ),
        ));
    }
    if row.flag("replica")? {
        return Err(refuse(url, "the server is a read-only replica: name the primary"));
    }
    if row.text("read_only")? == "on" {
        return Err(refuse(
            url,
            "it can only be read (default_transaction_read_only): set it to off for this user",
        ));
    }
    if row.text("durable")? == "off" {
        return Err(refuse(
            url,
            "synchronous_commit is off, so that a crash would lose what was acknowledged: set it to on for this user",
        ));
    }
    let (schema, who) = (row.text("schema")?, row.text("who")?);
    if schema.is_empty() {
        return Err(refuse(url, format!("no schema of the search path exists for {who}")));
    }
    if !row.flag("may_create")? {
        // Also later: the log gets new parts as it grows.
        return Err(refuse(
            url,
            format!(
                "{who} may not make tables in the schema {schema}: GRANT CREATE, USAGE ON SCHEMA {schema} TO {who}"
            ),
        ));
    }
    if migrated(link).await? { rights(link, url, &schema, &who).await } else { Ok(()) }
}

/// Refuses a user whose rights would fail some day: what the program made it also changes, and the
/// log gets parts that only an owner can add and drop.
async fn rights(link: &mut Link, url: &DatabaseUrl, schema: &str, who: &str) -> Result<(), Error> {
    let sql = "SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner,
                      quote_ident(pg_get_userbyid(c.relowner)) AS owner_name,
                      quote_ident(current_user) AS who, quote_ident(n.nspname) AS schema
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = current_schema()
               AND c.relkind IN ('r', 'p')
               AND (c.oid = to_regclass('schema_step') OR c.relname LIKE 'event%'
                    OR c.relname LIKE 'log\\_%')
               AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY c.relname LIMIT 1";
    if let Some(row) = link.row(sql, Vec::new()).await? {
        let (name, owner) = (row.text("name")?, row.text("owner")?);
        let give = give(&row)?;
        return Err(refuse(
            url,
            format!(
                "{who} does not own the table {name}, {owner} does, and only an owner can add and drop the parts of the log. {give}"
            ),
        ));
    }
    let sql = "SELECT c.relname AS name
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = current_schema()
               AND c.oid IN (SELECT to_regclass(t) FROM unnest(string_to_array($1, ' ')) AS t)
               AND NOT (has_table_privilege(c.oid, 'SELECT')
                    AND has_table_privilege(c.oid, 'INSERT')
                    AND has_table_privilege(c.oid, 'UPDATE')
                    AND has_table_privilege(c.oid, 'DELETE'))
               ORDER BY c.relname LIMIT 1";
    let names = super::tables().collect::<Vec<_>>().join(" ");
    if let Some(row) = link.row(sql, crate::args![names]).await? {
        let name = row.text("name")?;
        return Err(refuse(
            url,
            format!(
                "{who} may not read and write the table {name}: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {who}"
            ),
        ));
    }
    Ok(())
}

/// The one command that gives everything of an owner in the schema to the user. `REASSIGN OWNED`
/// does not do for the first administrator of a server, who loads dumps: PostgreSQL refuses it.
fn give(row: &Row) -> Result<String, Error> {
    let (owner, who) = (row.text("owner_name")?, row.text("who")?);
    let (schema, quote) = (row.text("schema")?, |name: &str| name.replace('\'', "''"));
    let (of, within, to) = (quote(&owner), quote(&schema), quote(&who).replace('%', "%%"));
    Ok(format!(
        "Connected to the database as {owner} or as an administrator, give it all that {owner} has in the schema with: DO $$ DECLARE what text; BEGIN FOR what IN SELECT format('TABLE %s', oid::regclass) FROM pg_class WHERE relnamespace = '{within}'::regnamespace AND relkind IN ('r', 'p', 'v') AND relowner = '{of}'::regrole UNION ALL SELECT format('ROUTINE %s', oid::regprocedure) FROM pg_proc WHERE pronamespace = '{within}'::regnamespace AND proowner = '{of}'::regrole AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') LOOP EXECUTE format('ALTER %s OWNER TO {to}', what); END LOOP; END $$"
    ))
}

/// Refuses a database without our tables, and a user who may not read them.
pub(super) async fn schema(link: &mut Link, url: &DatabaseUrl) -> Result<(), Error> {
    if !migrated(link).await? {
        return Err(refuse(url, "there is no Chancery in this database; is it the right one?"));
    }
    let sql = "SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner,
                      quote_ident(pg_get_userbyid(c.relowner)) AS owner_name,
                      quote_ident(current_user) AS who, quote_ident(n.nspname) AS schema
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = current_schema()
               AND c.oid IN (SELECT to_regclass(t) FROM unnest(string_to_array($1, ' ')) AS t)
               AND NOT has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname LIMIT 1";
    // The table of the steps is made by none of them.
    let names: Vec<_> = super::tables().chain(["schema_step"]).collect();
    let Some(row) = link.row(sql, crate::args![names.join(" ")]).await? else { return Ok(()) };
    let (name, owner, who) = (row.text("name")?, row.text("owner")?, row.text("who")?);
    let give = give(&row)?;
    Err(refuse(
        url,
        format!(
            "{who} may not read the table {name}, which {owner} owns. {give}; or, to a user who is only to read, GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {who}",
            row.text("schema")?
        ),
    ))
}

async fn migrated(link: &mut Link) -> Result<bool, Error> {
    let sql = "SELECT CASE WHEN to_regclass('schema_step') IS NULL THEN 0 ELSE 1 END AS n";
    Ok(link.number(sql, Vec::new()).await? == 1)
}
