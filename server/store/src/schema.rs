//! The schema and its history. A migration is never changed once released; a new one is added below it.

use rusqlite::{Connection, TransactionBehavior};

/// The steps from an empty file to the present schema; a file's `user_version` says how many it has had.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// The version of a file that has had all steps.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.len() as i64
}

pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings the file to the newest version; all steps or none.
pub(crate) fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let newest = migrations.len() as i64;
    if version(connection)? >= newest {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited for the lock.
    let done = version(&transaction)?;
    for step in migrations.iter().skip(usize::try_from(done).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", newest.max(done))?;
    transaction.commit()
}
