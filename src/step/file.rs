use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Places, StepContext, StepError,
    folders::{self, Folder, Folders},
};
use crate::{
    oci::{Descriptor, Digest, Repository, annotation, media_type},
    pack::{self, Compression, DigestCache, KnownLayer, LayerContent, LayerOptions, PackError},
    plan::{Diagnostic, yaml::Spanned},
    store::{Source, Store},
};

/// A file or folder that becomes a layer: `path`, or `content`, or `json`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "oneOf" = [{ "required": ["path"] }, { "required": ["content"] }, { "required": ["json"] }],
    "anyOf" = [{ "required": ["path"] }, { "required": ["name"] }],
))]
pub struct FileSpec {
    /// A file, a folder or a glob, relative to the plan's folder. A folder becomes one tar layer.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// The text of the file.
    pub content: Option<String>,
    /// A value that becomes the file, as compact JSON, its keys in the order written.
    pub json: Option<Value>,
    /// The file's name in the artifact. By default the path; required for `content` and `json`.
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// The layer's media type. By default a tar layer's, as oras has it.
    #[schemars(with = "Option<String>")]
    pub media_type: Option<Spanned<String>>,
    /// The layer's annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// How folders are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompressionName {
    /// What every tool reads.
    #[default]
    Gzip,
    /// Smaller and faster; not every tool reads it.
    Zstd,
    /// Not at all.
    None,
}

impl From<CompressionName> for Compression {
    fn from(name: CompressionName) -> Self {
        match name {
            CompressionName::Gzip => Self::Gzip,
            CompressionName::Zstd => Self::Zstd,
            CompressionName::None => Self::None,
        }
    }
}

/// A layer, ready to be pushed.
#[derive(Debug)]
pub(super) struct Layer {
    /// With title and annotations.
    pub(super) descriptor: Descriptor,
    /// Its bytes.
    pub(super) source: Source,
    /// The repository that has it, where another one can take it from there.
    pub(super) from: Option<Repository>,
    /// The file that it is, where it is one as it stands.
    pub(super) file: Option<PathBuf>,
    /// Keeps the bytes where the source finds them.
    _content: Option<LayerContent>,
}

impl FileSpec {
    /// What is wrong with the fields together.
    pub(super) fn check(&self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let span = self.name.as_ref().or(self.path.as_ref()).map(|text| text.span);
        let mut refuse = |diagnostic: Diagnostic| {
            diagnostics.push(match span {
                Some(span) if diagnostic.span.is_none() => diagnostic.at(span),
                _ => diagnostic,
            });
        };
        let ways = [self.path.is_some(), self.content.is_some(), self.json.is_some()];
        if ways.iter().filter(|way| **way).count() != 1 {
            refuse(Diagnostic::new("a file is one of `path`, `content` and `json`"));
        } else if self.path.is_none() && self.name.is_none() {
            refuse(Diagnostic::new("a file of `content` or `json` needs a `name`"));
        }
        if let Some(name) = &self.name
            && let Err(error) = pack::check_title(name)
        {
            refuse(Diagnostic::new(error.to_string()).at(name.span));
        }
        if let Some(given) = &self.media_type
            && !media_type::is_valid(given)
        {
            let message = format!("`{}` is not a media type: write `type/subtype`", given.value);
            refuse(Diagnostic::new(message).at(given.span));
        }
        diagnostics
    }

    /// The layers that this file makes: one, or as many as the glob finds. Blocking.
    fn pack(&self, places: &Places, options: &LayerOptions, hashed: &Hashed) -> Result<Vec<Layer>, PackError> {
        let bytes = match (&self.path, &self.content, &self.json) {
            (Some(pattern), ..) => return self.pack_paths(pattern, places.source_root(pattern), options, hashed),
            (None, Some(text), _) => text.clone().into_bytes(),
            (None, None, Some(value)) => value.to_string().into_bytes(),
            (None, None, None) => return Err(PackError::NotFound { path: places.plan_folder.clone() }),
        };
        let media_type = self.media_type.as_ref().map_or(media_type::LAYER_TAR, |given| given.value.as_str());
        let mut descriptor = Descriptor::of(media_type, &bytes);
        self.annotate(&mut descriptor, self.name.as_ref().map_or("", |name| name.value.as_str()));
        Ok(vec![Layer { descriptor, source: Source::bytes(bytes), from: None, file: None, _content: None }])
    }

    fn pack_paths(
        &self,
        pattern: &str,
        root: &Path,
        options: &LayerOptions,
        hashed: &Hashed,
    ) -> Result<Vec<Layer>, PackError> {
        let titled = self.titled(pattern, root)?.into_iter();
        titled.map(|(path, title)| self.pack_path(&path, &title, options, hashed)).collect()
    }

    /// What the pattern finds, each with its title.
    fn titled(&self, pattern: &str, root: &Path) -> Result<Vec<(PathBuf, String)>, PackError> {
        let paths = pack::expand(root, pattern)?;
        let several = paths.len() > 1;
        let titled = |path: &PathBuf| {
            let written = path.to_str().ok_or_else(|| PackError::NotUnicode { path: path.clone() })?;
            let title = match &self.name {
                // A name for several files is the folder that they go into.
                Some(name) if several => {
                    let last = path.file_name().and_then(|name| name.to_str()).unwrap_or(written);
                    format!("{}/{last}", name.trim_end_matches('/'))
                }
                Some(name) => name.trim_end_matches('/').to_owned(),
                None => written.trim_end_matches('/').to_owned(),
            };
            pack::check_title(&title)?;
            Ok((root.join(path), title))
        };
        paths.iter().map(titled).collect()
    }

    /// The folders among what the pattern finds. What is wrong with it is said where it is packed. Blocking.
    fn folders(&self, places: &Places, options: &LayerOptions) -> Vec<Folder> {
        let Some(pattern) = &self.path else { return Vec::new() };
        let titled = self.titled(pattern, places.source_root(pattern)).unwrap_or_default();
        let folders = titled.into_iter().filter(|(path, _)| path.is_dir());
        let folder = |(path, prefix)| Folder { path, options: LayerOptions { prefix, ..options.clone() } };
        folders.map(folder).collect()
    }

    fn pack_path(&self, path: &Path, title: &str, options: &LayerOptions, hashed: &Hashed) -> Result<Layer, PackError> {
        let given = self.media_type.as_ref().map(|given| given.value.clone());
        if !path.is_dir() {
            let media_type = given.as_deref().unwrap_or(media_type::LAYER_TAR);
            let mut descriptor = hashed.describe(path, media_type)?;
            self.annotate(&mut descriptor, title);
            let file = Some(path.to_owned());
            return Ok(Layer { descriptor, source: Source::file(path), from: None, file, _content: None });
        }
        let options = LayerOptions { prefix: title.to_owned(), ..options.clone() };
        let (layer, source, content) = hashed.pack(path, &options)?;
        let mut descriptor = layer.descriptor;
        if let Some(given) = given {
            descriptor.media_type = given;
        }
        self.annotate(&mut descriptor, title);
        // oras unpacks what has these two, and checks the digest of the tar.
        let mut insert = |key: &str, value: String| descriptor.annotations.insert(key.to_owned(), value);
        insert(annotation::ORAS_CONTENT_DIGEST, layer.diff_id.to_string());
        insert(annotation::ORAS_UNPACK, "true".to_owned());
        Ok(Layer { descriptor, source, from: None, file: None, _content: content })
    }

    fn annotate(&self, descriptor: &mut Descriptor, title: &str) {
        descriptor.annotations = self.annotations.clone();
        descriptor.annotations.entry(annotation::TITLE.to_owned()).or_insert_with(|| title.to_owned());
    }
}

impl Layer {
    /// A layer that is packed already.
    pub(super) fn packed(descriptor: Descriptor, content: LayerContent) -> Self {
        Self { descriptor, source: source_of(&content), from: None, file: None, _content: Some(content) }
    }

    /// A layer that another repository has.
    pub(super) fn in_store(descriptor: Descriptor, store: &Arc<dyn Store>) -> Self {
        let from = Some(store.repository().clone());
        Self { descriptor, source: Source::blob(Arc::clone(store)), from, file: None, _content: None }
    }

    /// A layer that the repository has to which it is pushed.
    pub(super) fn there(descriptor: Descriptor, store: &Arc<dyn Store>) -> Self {
        Self { descriptor, source: Source::blob(Arc::clone(store)), from: None, file: None, _content: None }
    }

    /// Bytes in memory.
    pub(super) fn bytes(descriptor: Descriptor, bytes: impl Into<bytes::Bytes>) -> Self {
        Self { descriptor, source: Source::bytes(bytes), from: None, file: None, _content: None }
    }
}

fn source_of(content: &LayerContent) -> Source {
    match content {
        LayerContent::Bytes(bytes) => Source::bytes(bytes.clone()),
        LayerContent::File(path) => Source::file(path.to_path_buf()),
    }
}

/// Files whose digests are known.
#[derive(Debug)]
pub(super) struct Hashed {
    /// Hashed when they were sent: digest and size by path.
    pub(super) sent: HashMap<PathBuf, (Digest, u64)>,
    /// Folders that are packed and there.
    there: Option<(Folders, Arc<dyn Store>)>,
    cache: Arc<DigestCache>,
}

impl Hashed {
    /// Those that an earlier run has hashed.
    pub(super) fn before(cx: &StepContext) -> Self {
        Self { sent: HashMap::new(), there: None, cache: Arc::clone(&cx.places.digests) }
    }

    /// The same with folders whose layers are in `store`.
    pub(super) fn with_folders(self, folders: Folders, store: Arc<dyn Store>) -> Self {
        Self { there: Some((folders, store)), ..self }
    }

    /// What a folder is as a layer, and where its bytes are: packed, unless a store is known to have it.
    fn pack(
        &self,
        path: &Path,
        options: &LayerOptions,
    ) -> Result<(KnownLayer, Source, Option<LayerContent>), PackError> {
        if let Some((folders, store)) = &self.there
            && let Some(layer) = folders.find(path, &options.prefix)
        {
            return Ok((layer.clone(), Source::blob(Arc::clone(store)), None));
        }
        let packed = pack::pack_directory(path, options)?;
        let layer = packed.known();
        self.cache.keep_folder(path, options, &layer);
        let source = source_of(&packed.content);
        Ok((layer, source, Some(packed.content)))
    }

    fn describe(&self, path: &Path, media_type: &str) -> Result<Descriptor, PackError> {
        match self.sent.get(path) {
            Some((digest, size)) => Ok(Descriptor::new(media_type, digest.clone(), *size)),
            None => self.cache.describe(path, media_type),
        }
    }
}

/// The layers of `files`, in their order. Two of one name are an error: one would overwrite the other when pulled.
pub(super) async fn layers(
    cx: &StepContext,
    files: &[FileSpec],
    compression: Compression,
) -> Result<Vec<Layer>, StepError> {
    layers_hashed(cx, files, compression, Hashed::before(cx)).await
}

/// The same, of which some were sent already.
pub(super) async fn layers_hashed(
    cx: &StepContext,
    files: &[FileSpec],
    compression: Compression,
    hashed: Hashed,
) -> Result<Vec<Layer>, StepError> {
    let (files, places) = (files.to_vec(), Arc::clone(&cx.places));
    let options = options(cx, compression);
    let packed = tokio::task::spawn_blocking(move || {
        let mut layers: Vec<Layer> = Vec::new();
        for file in &files {
            for layer in file.pack(&places, &options, &hashed)? {
                let title = layer.descriptor.title().unwrap_or_default().to_owned();
                if layers.iter().any(|other| other.descriptor.title() == Some(&title)) {
                    return Err(PackError::DuplicateTitle { title });
                }
                layers.push(layer);
            }
        }
        Ok(layers)
    });
    let packed = packed.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
    packed.map_err(StepError::pack("pack the files"))
}

/// The layers of `files`, whose folders are not packed where `store` is known to have them.
pub(super) async fn layers_for(
    cx: &StepContext,
    store: &Arc<dyn Store>,
    files: &[FileSpec],
    compression: Compression,
) -> Result<Vec<Layer>, StepError> {
    let mut known = Folders::default();
    known.look(cx, &**store, folders(cx, files, compression).await).await;
    layers_hashed(cx, files, compression, Hashed::before(cx).with_folders(known, Arc::clone(store))).await
}

/// The folders among `files`, each once.
pub(super) async fn folders(cx: &StepContext, files: &[FileSpec], compression: Compression) -> Vec<Folder> {
    let (files, places) = (files.to_vec(), Arc::clone(&cx.places));
    let options = options(cx, compression);
    let found = tokio::task::spawn_blocking(move || {
        folders::distinct(files.iter().flat_map(|file| file.folders(&places, &options)))
    });
    found.await.unwrap_or_default()
}

fn options(cx: &StepContext, compression: Compression) -> LayerOptions {
    LayerOptions { compression, modified: cx.epoch.unwrap_or(0), ..LayerOptions::artifact("") }
}

/// The local paths that `files` read.
pub(super) fn sources(files: &[FileSpec]) -> Vec<&Spanned<String>> {
    files.iter().filter_map(|file| file.path.as_ref()).collect()
}
