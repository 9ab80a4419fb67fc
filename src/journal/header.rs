use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::RunId;
use crate::oci::Digest;

/// The first line of a journal: what was run, and how, so that it can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "run_recorded")]
pub struct Header {
    /// Of the format, 1.
    pub version: u32,
    /// Which run.
    pub run: RunId,
    /// The version of consign that ran it.
    pub consign: String,
    /// The process that ran it.
    pub process: u32,
    /// The plan, absolute.
    pub plan: PathBuf,
    /// As it was named on the command line.
    pub plan_name: String,
    /// Of the plan's text.
    pub plan_digest: Digest,
    /// Where local files were written, absolute.
    pub workdir: PathBuf,
    /// The values of inputs that were given from outside.
    pub inputs: BTreeMap<String, String>,
    /// `--select`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    /// `--skip`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// `--skip-gates`.
    #[serde(default)]
    pub skip_gates: bool,
    /// `--plain-http`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plain_http: Vec<String>,
    /// The run that this one goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<RunId>,
}

impl Header {
    /// The version of the format.
    pub const VERSION: u32 = 1;
}
