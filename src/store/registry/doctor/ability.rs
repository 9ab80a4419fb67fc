use serde::Serialize;

/// Something that a registry can do, or not. Reports and their JSON name it as it is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// It speaks the distribution API.
    Api,
    /// It takes the login that there is, or anybody.
    Login,
    /// The repository can be read.
    Pull,
    /// The repository can be written.
    Push,
    /// Lists of tags come in pages, as many as were asked for, each with a link to the next.
    TagPaging,
    /// It lists referrers itself.
    ReferrersApi,
    /// It lists them by artifact type.
    ReferrersFilter,
    /// Manifests can be deleted.
    DeleteManifests,
    /// Tags can be deleted, and their manifests stay.
    DeleteTags,
    /// Blobs can be deleted.
    DeleteBlobs,
    /// An upload may come in chunks.
    ChunkedUploads,
    /// An upload that broke off may go on.
    ResumedUploads,
    /// An upload may be given up.
    CancelledUploads,
    /// A blob may be uploaded in one request.
    SingleRequestUploads,
    /// Blobs may be taken from another repository.
    Mounts,
    /// Parts of a blob can be read.
    BlobRanges,
    /// A tag is written only where it is not there yet, if asked.
    ConditionalPuts,
    /// How much it allows in some time.
    RateLimits,
}

impl Ability {
    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Api => "distribution API",
            Self::Login => "login",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::TagPaging => "paging of tags",
            Self::ReferrersApi => "referrers API",
            Self::ReferrersFilter => "referrers by artifact type",
            Self::DeleteManifests => "delete of manifests",
            Self::DeleteTags => "delete of tags",
            Self::DeleteBlobs => "delete of blobs",
            Self::ChunkedUploads => "chunked uploads",
            Self::ResumedUploads => "resumed uploads",
            Self::CancelledUploads => "cancelled uploads",
            Self::SingleRequestUploads => "uploads in one request",
            Self::Mounts => "mounts",
            Self::BlobRanges => "ranges of blobs",
            Self::ConditionalPuts => "conditional puts",
            Self::RateLimits => "rate limits",
        }
    }
}
