use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use tempfile::NamedTempFile;

use super::LayerContent;

/// Takes bytes, in memory while they are few, in a temporary file from then on.
pub(super) struct Spool {
    place: Place,
    temporary: Option<PathBuf>,
}

enum Place {
    Memory(Vec<u8>),
    File(NamedTempFile<File>),
}

impl Spool {
    /// In bytes.
    const MEMORY: usize = 1024 * 1024;

    /// An empty one, whose file goes into `temporary` or else where the system has such files.
    pub(super) const fn new(temporary: Option<PathBuf>) -> Self {
        Self { place: Place::Memory(Vec::new()), temporary }
    }

    /// The bytes.
    pub(super) fn finish(self) -> LayerContent {
        match self.place {
            Place::Memory(bytes) => LayerContent::Bytes(bytes.into()),
            Place::File(file) => LayerContent::File(file.into_temp_path()),
        }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Place::Memory(memory) = &mut self.place {
            if memory.len() + bytes.len() < Self::MEMORY {
                memory.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
            let mut file = match &self.temporary {
                Some(folder) => NamedTempFile::new_in(folder),
                None => NamedTempFile::new(),
            }?;
            file.write_all(memory)?;
            self.place = Place::File(file);
        }
        if let Place::File(file) = &mut self.place {
            file.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Memory(_) => Ok(()),
            Place::File(file) => file.flush(),
        }
    }
}
