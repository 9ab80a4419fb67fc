use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Digest;

/// The configuration of a container image. Members stand in the order of the Go types.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, RFC 3339; only where the plan says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// As Go's `GOARCH`.
    pub architecture: String,
    /// As Go's `GOOS`.
    pub os: String,
    /// Of the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How a container of it runs.
    pub config: ContainerConfig,
    /// What the layers are, uncompressed.
    pub rootfs: RootFs,
}

/// How a container of an image runs, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `user[:group]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The arguments that a user may replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Where it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The layers' uncompressed digests, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One per layer.
    pub diff_ids: Vec<Digest>,
}
