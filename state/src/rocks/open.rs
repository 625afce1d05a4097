//! Opening a task's database: what is there is opened first and checked, then what is missing is created.

use std::{path::Path, sync::Arc};

use headwater_core::{Result, check_name};
use rocksdb::{DB, Options, WriteBatch};

use super::{Rocks, options::options, positions::POSITIONS};
use crate::{StoreMemory, directory::create_private_dir, errors};

/// The family that says which format the others have; RocksDB insists on this name.
pub(super) const META: &str = "default";

const FORMAT_KEY: &[u8] = b"format_version";
const FORMAT_VERSION: u32 = 1;
const STORE_PREFIX: &str = "store/";

impl Rocks {
    pub(crate) fn open(dir: &Path, wanted: &[String], memory: &StoreMemory) -> Result<Self> {
        for name in wanted {
            check_name("store", name)?;
        }
        create_private_dir(dir)?;
        let options = options(memory);
        let mut found = families_in(dir, &options)?;
        let mut db = DB::open_cf_with_opts(&options, dir, found.iter().map(|name| (name.as_str(), options.clone())))
            .map_err(|error| errors::rocks("open", dir, error))?;
        let is_new = check_format(&db, dir)?;
        let needed = wanted.iter().map(|name| format!("{STORE_PREFIX}{name}")).chain([POSITIONS.to_owned()]);
        for name in needed {
            if !found.contains(&name) {
                db.create_cf(&name, &options).map_err(|error| errors::rocks("add a store to", dir, error))?;
                found.push(name);
            }
        }
        let (stores, families) = found
            .iter()
            .filter_map(|family| Some((family.strip_prefix(STORE_PREFIX)?.to_owned(), family.clone())))
            .unzip();
        let rocks = Self { db: Arc::new(db), dir: dir.to_owned(), stores, families };
        if is_new {
            let mut batch = WriteBatch::default();
            batch.put(FORMAT_KEY, FORMAT_VERSION.to_string());
            rocks.write(batch)?;
        }
        Ok(rocks)
    }
}

/// The families of the database in `dir`, at least the default one.
fn families_in(dir: &Path, options: &Options) -> Result<Vec<String>> {
    // RocksDB writes this file last when it creates a database.
    if !dir.join("CURRENT").exists() {
        return Ok(vec![META.to_owned()]);
    }
    let mut families = DB::list_cf(options, dir).map_err(|error| errors::rocks("open", dir, error))?;
    families.sort();
    Ok(families)
}

/// Refuses the format of a newer program; says whether the format is still to be written.
fn check_format(db: &DB, dir: &Path) -> Result<bool> {
    let found = db.get(FORMAT_KEY).map_err(|error| errors::rocks("read", dir, error))?;
    // The key is flushed together with the first rows. If it is missing, nothing was ever flushed.
    let Some(found) = found else { return Ok(true) };
    let found = String::from_utf8_lossy(&found);
    match found.parse::<u32>() {
        Ok(version) if (1..=FORMAT_VERSION).contains(&version) => Ok(false),
        Ok(version) if version > FORMAT_VERSION => Err(errors::newer_format(dir, &found, FORMAT_VERSION)),
        _ => Err(errors::damaged(dir, &format!("its format version is {found:?}"))),
    }
}
