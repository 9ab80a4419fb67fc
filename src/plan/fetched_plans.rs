use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{Diagnostic, yaml::MAX_BYTES};
use crate::oci::{Digest, Manifest, Reference, media_type};

/// The media type of the one layer of a plan in a registry.
pub const PLAN_MEDIA_TYPE: &str = "application/vnd.consign.plan.v1+yaml";
/// No plan is larger, in bytes; nor is a manifest of one.
const LARGEST: u64 = MAX_BYTES as u64;

/// The plans of registries that are on this machine: blobs under their digests, as an image layout has them. What is not
/// there is remembered, for whoever can fetch it.
#[derive(Debug, Default)]
pub struct FetchedPlans {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What tags name: as a lock says, or as they were found.
    tags: BTreeMap<String, Digest>,
    missing: Vec<Reference>,
    used: BTreeMap<String, Digest>,
}

impl FetchedPlans {
    /// Those in that folder; the tags of which something is known, as `registry/repository:tag`.
    pub fn new(folder: impl Into<PathBuf>, tags: BTreeMap<String, Digest>) -> Self {
        Self { folder: folder.into(), state: Mutex::new(State { tags, ..State::default() }) }
    }

    /// What the paths of a plan in a registry are relative to: it has no files.
    pub fn folder(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// The digest and the text of the plan that `reference` names.
    pub fn find(&self, reference: &Reference) -> Result<(Digest, String), Diagnostic> {
        let digest = match &reference.digest {
            Some(digest) => Some(digest.clone()),
            None => self.state().tags.get(&reference.to_string()).cloned(),
        };
        let Some((digest, bytes)) = digest.and_then(|digest| Some((digest.clone(), self.blob(&digest)?))) else {
            self.state().missing.push(reference.clone());
            let diagnostic = Diagnostic::new(format!("the plan `{reference}` is not on this machine"));
            return Err(
                diagnostic.help("`consign run`, `plan` and `lock` fetch it, and rehearsals with `--read-through`")
            );
        };
        let broken = |why: &str| Diagnostic::new(format!("`{reference}` is no plan: {why}"));
        let manifest =
            Manifest::parse(media_type::IMAGE_MANIFEST, bytes).map_err(|error| broken(&error.to_string()))?;
        let layer = Self::layer(&manifest).map_err(|why| broken(&why))?;
        let text = self.blob(&layer).ok_or_else(|| broken("its layer is not on this machine"))?;
        let text = String::from_utf8(text.into()).map_err(|_| broken("it is not UTF-8"))?;
        if reference.digest.is_none() {
            self.state().used.insert(reference.to_string(), digest.clone());
        }
        Ok((digest, text))
    }

    /// The layer that is the plan, or what is wrong with the manifest.
    pub fn layer(manifest: &Manifest) -> Result<Digest, String> {
        let layers = manifest.as_image().map(|image| image.layers.as_slice()).unwrap_or_default();
        match layers {
            [layer] if layer.media_type == PLAN_MEDIA_TYPE && layer.size <= LARGEST => Ok(layer.digest.clone()),
            [layer] if layer.media_type == PLAN_MEDIA_TYPE => Err("it is larger than 8 MiB".to_owned()),
            [layer] => Err(format!("its layer is `{}`, not `{PLAN_MEDIA_TYPE}`", layer.media_type)),
            layers => Err(format!("it has {} layers, and a plan has one", layers.len())),
        }
    }

    /// What was wanted and is not here.
    pub fn take_missing(&self) -> Vec<Reference> {
        std::mem::take(&mut self.state().missing)
    }

    /// The tags that plans were included by, and what they name.
    pub fn used(&self) -> BTreeMap<String, Digest> {
        self.state().used.clone()
    }

    /// Keeps a plan: what `reference` names, and the layer of it.
    pub fn keep(&self, reference: &Reference, manifest: &Manifest, layer: (&Digest, &[u8])) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        // It is nobody's to check in.
        fs::write(self.folder.join(".gitignore"), "*\n")?;
        self.write(layer.0, layer.1)?;
        self.write(manifest.digest(), manifest.bytes())?;
        if reference.digest.is_none() {
            self.state().tags.insert(reference.to_string(), manifest.digest().clone());
        }
        Ok(())
    }

    /// A blob, verified; nothing where it is not there or is something else.
    fn blob(&self, digest: &Digest) -> Option<Bytes> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(digest)).ok()?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).ok()?;
        let is_it = Digest::of(digest.algorithm(), &bytes) == *digest;
        is_it.then(|| bytes.into())
    }

    fn write(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let algorithm = digest.algorithm().to_string();
        self.folder.join("blobs").join(algorithm).join(digest.hex())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
