//! The lake's catalog: one SQLite file in the shape that Iceberg's JDBC catalog, pyiceberg and others share (schema
//! version V1). A commit is one compare-and-swap on a table's metadata pointer.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use headwater_core::Result;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{durable, fault};

/// The catalog's name: part of the key of every row, so every reader must use it.
pub(crate) const CATALOG_NAME: &str = "lake";

/// The catalog's file in the lake directory.
const FILE_NAME: &str = "catalog.db";

/// How long to wait while another process holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000) NOT NULL,
    PRIMARY KEY (catalog_name, namespace, property_key)
);";

/// A table's place in the catalog: `air.flights` is table `flights` of namespace `air`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl TableName {
    pub(crate) fn parse(target: &str) -> Result<Self> {
        headwater_core::check_name("table", target)?;
        match target.rsplit_once('.') {
            Some((namespace, name)) if !name.is_empty() && namespace.split('.').all(|part| !part.is_empty()) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(fault::declaration(
                target,
                "a table's name has a namespace and a name",
                "call it namespace.table, such as air.flights",
            )),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.namespace, self.name)
    }
}

/// What became of a compare-and-swap.
#[derive(Debug)]
pub(crate) enum Swap {
    /// The pointer moved.
    Done,
    /// It was not where the caller thought; nothing moved.
    Conflict,
    /// No answer: it may have moved or not.
    Unknown(headwater_core::Error),
}

/// A connection to the catalog.
#[derive(Debug)]
pub(crate) struct SqliteCatalog {
    connection: Connection,
    path: PathBuf,
}

impl SqliteCatalog {
    /// Opens the catalog of the lake in `lake_dir`.
    pub(crate) fn open(lake_dir: &Path) -> Result<Self> {
        let path = lake_dir.join(FILE_NAME);
        // Looking for a table must not leave a lake behind in a mistyped directory.
        if !path.is_file() {
            return Err(fault::missing(&format!("catalog {}", path.display())));
        }
        Self::connect(path)
    }

    /// Opens the catalog of the lake in `lake_dir`, creating both if missing.
    pub(crate) fn open_or_create(lake_dir: &Path) -> Result<Self> {
        durable::create_directories(lake_dir).map_err(|error| fault::storage("create", lake_dir, error))?;
        let catalog = Self::connect(lake_dir.join(FILE_NAME))?;
        durable::sync_directory(lake_dir).map_err(|error| fault::storage("make durable", lake_dir, error))?;
        Ok(catalog)
    }

    fn connect(path: PathBuf) -> Result<Self> {
        let failed = |error| fault::catalog("open tables", &path, error);
        let connection = Connection::open(&path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        use_write_ahead_log(&connection).map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.execute_batch(TABLES).map_err(failed)?;
        Ok(Self { connection, path })
    }

    /// Where the table's current metadata is; `None` if there is no such table.
    pub(crate) fn pointer(&self, table: &TableName) -> Result<Option<String>> {
        self.connection
            .prepare_cached(
                "SELECT metadata_location FROM iceberg_tables
                 WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3",
            )
            .and_then(|mut query| {
                query.query_row(params![CATALOG_NAME, table.namespace, table.name], |row| row.get(0)).optional()
            })
            .map_err(|error| fault::catalog(&format!("look up {table}"), &self.path, error))
    }

    /// Registers a table; `false` if there is one of that name already.
    pub(crate) fn insert(&mut self, table: &TableName, location: &str) -> Result<bool> {
        self.try_insert(table, location)
            .map_err(|error| fault::catalog(&format!("register {table}"), &self.path, error))
    }

    fn try_insert(&mut self, table: &TableName, location: &str) -> rusqlite::Result<bool> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Other clients list a namespace if it has a property; Java's catalog writes this one.
        transaction.execute(
            "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?1, ?2, 'exists', 'true')",
            params![CATALOG_NAME, table.namespace],
        )?;
        let inserted = transaction.execute(
            "INSERT OR IGNORE INTO iceberg_tables VALUES (?1, ?2, ?3, ?4, NULL, 'TABLE')",
            params![CATALOG_NAME, table.namespace, table.name, location],
        )?;
        transaction.commit()?;
        Ok(inserted == 1)
    }

    /// Moves the table's pointer from `from` to `to` if it is still at `from`.
    pub(crate) fn swap(&self, table: &TableName, from: &str, to: &str) -> Swap {
        let moved = self.connection.execute(
            "UPDATE iceberg_tables SET metadata_location = ?1, previous_metadata_location = ?2
             WHERE catalog_name = ?3 AND table_namespace = ?4 AND table_name = ?5 AND metadata_location = ?2",
            params![to, from, CATALOG_NAME, table.namespace, table.name],
        );
        match moved {
            Ok(0) => Swap::Conflict,
            Ok(_) => Swap::Done,
            Err(error) => Swap::Unknown(fault::catalog(&format!("commit to {table}"), &self.path, error)),
        }
    }
}

/// Switching a new file to its write-ahead log needs it alone, and SQLite does not wait for that by itself.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(_) => return Ok(()),
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_namespace() {
        let name = TableName::parse("air.flights__v2").unwrap();
        assert_eq!((name.namespace.as_str(), name.name.as_str()), ("air", "flights__v2"));
        assert_eq!(TableName::parse("a.b.c").unwrap().namespace, "a.b");
        for bad in ["flights", "air.", ".flights", "a..b", "a b.c"] {
            assert!(TableName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_first_of_two_commits_on_one_base_wins() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = SqliteCatalog::open_or_create(dir.path()).unwrap();
        let mut two = SqliteCatalog::open(dir.path()).unwrap();
        let table = TableName::parse("air.flights").unwrap();
        assert_eq!(one.pointer(&table).unwrap(), None);
        assert!(one.insert(&table, "m0").unwrap());
        assert!(!two.insert(&table, "other").unwrap());
        assert!(matches!(two.swap(&table, "m0", "m1"), Swap::Done));
        assert!(matches!(one.swap(&table, "m0", "m2"), Swap::Conflict));
        assert_eq!(one.pointer(&table).unwrap().as_deref(), Some("m1"));
    }
}
