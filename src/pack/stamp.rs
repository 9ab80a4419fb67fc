use std::{
    fs::Metadata,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// What tells that a file is the one that was seen, and has not changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds since 1970. Anybody can set it.
    modified: (i64, i64),
    /// The same of the last change of any kind, which only the system sets.
    changed: (i64, i64),
}

impl Stamp {
    /// That of a file. Nothing where the system does not tell enough.
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "other systems tell nothing")]
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            size: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// That of a file. Nothing where the system does not tell enough.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// All of it, in one order.
    pub(super) fn to_bytes(self) -> [u8; 56] {
        let fields = [
            self.size.to_le_bytes(),
            self.device.to_le_bytes(),
            self.inode.to_le_bytes(),
            self.modified.0.to_le_bytes(),
            self.modified.1.to_le_bytes(),
            self.changed.0.to_le_bytes(),
            self.changed.1.to_le_bytes(),
        ];
        let mut bytes = [0; 56];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field);
        }
        bytes
    }

    /// When it changed last, in any way.
    pub(super) fn changed(&self) -> SystemTime {
        let (seconds, _) = self.changed.max(self.modified);
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }
}
