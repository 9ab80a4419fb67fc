use super::EnvelopeError;

/// How a signature is wrapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EnvelopeFormat {
    /// JSON.
    #[default]
    Jws,
    /// CBOR.
    Cose,
}

impl EnvelopeFormat {
    /// The media type of such an envelope.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose+json",
            Self::Cose => "application/cose",
        }
    }

    /// The format of that media type.
    pub fn of(media_type: &str) -> Result<Self, EnvelopeError> {
        let found = [Self::Jws, Self::Cose].into_iter().find(|format| format.media_type() == media_type);
        found.ok_or_else(|| EnvelopeError::MediaType { media_type: media_type.to_owned() })
    }
}
