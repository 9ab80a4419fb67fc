//! Files and directories as layers, the same bytes on every machine; and layers as files again, safely.
//!
//! Everything here blocks: it reads and writes files and starts threads. It knows descriptors, and no store: what is
//! packed is handed over as bytes or as a temporary file, or goes where the caller writes it; what is unpacked comes from any
//! reader.
//!
//! Tar bytes are those that oras writes, so the digest of the uncompressed tar is the same for both. Compressed bytes
//! are stable per release of consign.

mod archive_fault;
mod archive_reader;
mod compression;
mod digest_cache;
mod directory;
mod entry_fault;
mod error;
mod file;
mod glob;
mod gzip;
mod hashed;
mod header;
mod layer;
mod layer_writer;
mod limits;
mod link;
mod listing;
mod mode;
mod read_ahead;
#[cfg(test)]
#[cfg(unix)]
mod round_trip;
mod spool;
mod staging;
mod stamp;
mod title;
mod tree;
mod unpack;
mod verify;
mod walk;

pub use self::{
    archive_fault::ArchiveFault,
    compression::Compression,
    digest_cache::{DigestCache, FolderState},
    directory::{directory_digest, pack_directory, pack_directory_into, pack_file_layer},
    entry_fault::EntryFault,
    error::PackError,
    file::{describe_file, verify_file},
    glob::expand,
    layer::{KnownLayer, LayerContent, LayerForm, LayerOptions, PackedLayer},
    limits::Limits,
    staging::{Existing, Placement, Staging},
    title::{PathFault, check_title},
    unpack::{UnpackOptions, Unpacked, unpack},
    verify::verify_unpacked,
};
