use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::oci::media_type;

/// How the tar of a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, read by everything.
    Gzip,
    /// zstd at level 3: about four times as fast as gzip and a quarter smaller.
    Zstd,
}

impl Compression {
    /// The media type of a layer that is compressed so.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::None => media_type::LAYER_TAR,
            Self::Gzip => media_type::LAYER_TAR_GZIP,
            Self::Zstd => media_type::LAYER_TAR_ZSTD,
        }
    }

    /// The compression that a media type names by its suffix: `+gzip`, `+zstd`, or Docker's `.tar.gzip`.
    pub fn of_media_type(media_type: &str) -> Self {
        match media_type::essence(media_type).rsplit(['+', '.']).next() {
            Some("gzip") => Self::Gzip,
            Some("zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The compression that content has, told by its first bytes. Layers pushed by hand may say one thing and be another.
    pub fn of_content(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::None
        }
    }

    /// What `reader` gives when it is decompressed: all members, all frames.
    pub(super) fn decoder<'a>(self, reader: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
        /// Large enough that a header of 512 bytes does not cost a call of its own.
        const CAPACITY: usize = 128 * 1024;
        let buffered = |reader| BufReader::with_capacity(CAPACITY, reader);
        Ok(match self {
            Self::None => Box::new(BufReader::with_capacity(CAPACITY, reader)),
            Self::Gzip => {
                let decoder = MultiGzDecoder::new(BufReader::with_capacity(CAPACITY, reader));
                Box::new(buffered(Box::new(decoder) as Box<dyn Read + 'a>))
            }
            Self::Zstd => {
                let decoder = zstd::Decoder::new(reader)?;
                Box::new(buffered(Box::new(decoder) as Box<dyn Read + 'a>))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_tells_the_compression() {
        for (media_type, compression) in [
            (media_type::LAYER_TAR, Compression::None),
            (media_type::LAYER_TAR_GZIP, Compression::Gzip),
            (media_type::LAYER_TAR_ZSTD, Compression::Zstd),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::Gzip),
            ("application/vnd.example+gzip; x=y", Compression::Gzip),
            ("text/plain", Compression::None),
        ] {
            assert_eq!(Compression::of_media_type(media_type), compression, "{media_type}");
        }
    }
}
