//! The `iceberg` crate's storage on the local file system, with the durability its own one lacks: whole files are
//! replaced atomically and synced with their directory; streamed files are synced when closed if asked for.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use iceberg::{
    Error, ErrorKind, Result,
    io::{
        FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
        StorageFactory,
    },
};
use serde::{Deserialize, Serialize};

use crate::durable;

/// File access for the commit engine: a manifest is durable when closed, and the metadata file's atomic write makes
/// the whole `metadata/` directory durable.
pub(crate) fn metadata_io() -> FileIO {
    FileIOBuilder::new(Arc::new(LocalFiles { sync_on_close: true })).build()
}

/// File access for data files: the writer makes all files of a transaction durable together.
pub(crate) fn data_io() -> FileIO {
    FileIOBuilder::new(Arc::new(LocalFiles { sync_on_close: false })).build()
}

/// The path behind a location: `file:///a`, `file:/a` (as Java writes it) or `/a`.
pub(crate) fn local_path(location: &str) -> PathBuf {
    let rest = location.strip_prefix("file:").map_or(location, |rest| rest.strip_prefix("//").unwrap_or(rest));
    PathBuf::from(rest)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct LocalFiles {
    sync_on_close: bool,
}

#[typetag::serde(name = "HeadwaterLocalFiles")]
impl StorageFactory for LocalFiles {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
#[typetag::serde(name = "HeadwaterLocalFiles")]
impl Storage for LocalFiles {
    async fn exists(&self, path: &str) -> Result<bool> {
        local_path(path).try_exists().map_err(|error| failed("look for", path, error))
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let size = fs::metadata(local_path(path)).map_err(|error| failed("look at", path, error))?.len();
        Ok(FileMetadata { size })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        fs::read(local_path(path)).map(Bytes::from).map_err(|error| failed("read", path, error))
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        let file = File::open(local_path(path)).map_err(|error| failed("open", path, error))?;
        Ok(Box::new(LocalReader { path: path.to_owned(), file: Mutex::new(file) }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let local = local_path(path);
        create_parent(&local, true)
            .and_then(|()| durable::write_atomically(&local, &bytes))
            .map_err(|error| failed("write", path, error))
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let local = local_path(path);
        let file = create_parent(&local, self.sync_on_close)
            .and_then(|()| File::create(&local))
            .map_err(|error| failed("create", path, error))?;
        Ok(Box::new(LocalWriter { path: path.to_owned(), file: Some(file), sync_on_close: self.sync_on_close }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        match fs::remove_file(local_path(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("delete", path, error)),
            _ => Ok(()),
        }
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        match fs::remove_dir_all(local_path(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("delete", path, error)),
            _ => Ok(()),
        }
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

fn create_parent(path: &Path, synced: bool) -> std::io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if synced { durable::create_directories(parent) } else { fs::create_dir_all(parent) }
}

fn failed(what: &str, path: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, format!("could not {what} {path}")).with_source(error)
}

#[derive(Debug)]
struct LocalReader {
    path: String,
    file: Mutex<File>,
}

#[async_trait]
impl FileRead for LocalReader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let mut bytes = Vec::new();
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wanted = range.end.saturating_sub(range.start);
        let read =
            file.seek(SeekFrom::Start(range.start)).and_then(|_| (&mut *file).take(wanted).read_to_end(&mut bytes));
        match read {
            Ok(read) if read as u64 == wanted => Ok(Bytes::from(bytes)),
            Ok(_) => Err(failed("read to the end of", &self.path, std::io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(failed("read", &self.path, error)),
        }
    }
}

#[derive(Debug)]
struct LocalWriter {
    path: String,
    file: Option<File>,
    sync_on_close: bool,
}

#[async_trait]
impl FileWrite for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Err(Error::new(ErrorKind::Unexpected, format!("{} is closed already", self.path)));
        };
        file.write_all(&bytes).map_err(|error| failed("write", &self.path, error))
    }

    async fn close(&mut self) -> Result<()> {
        match self.file.take() {
            Some(file) if self.sync_on_close => {
                file.sync_all().map_err(|error| failed("make durable", &self.path, error))
            }
            _ => Ok(()),
        }
    }
}
