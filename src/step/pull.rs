use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::{
    Declare, Done, EffectInfo, Effects, Guess, IfExists, Overwritten, Places, Sort, Step, StepContext, StepError,
    Thing,
    arriving::Arriving,
    effect_info::{changes, reads},
    kind::{DIGEST, MEDIA_TYPE, OutputInfo, REFERENCE, SIZE, output},
    platforms::{check_platform, for_platform, platform},
    reading::{check_subject, read_effects},
    several::several,
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Manifest, Reference, annotation},
    output::Output,
    pack::{self, Compression, Existing, LayerForm, LayerOptions, PackError, Staging, UnpackOptions},
    plan::{Diagnostic, yaml::Spanned},
    store::{Store, StoreError},
    tree::{self, Tree},
};

/// Restores the files of an artifact.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// The artifact, by tag or digest.
    #[schemars(with = "String")]
    pub from: Spanned<Reference>,
    /// The folder that the files go into, relative to the work folder.
    #[schemars(with = "String")]
    pub to: Spanned<String>,
    /// What to do with a file that is there and differs: `fail` by default.
    #[serde(default)]
    pub if_exists: IfExists,
    /// Whether layers that were folders are unpacked, as they are by default. Otherwise they are written as archives.
    #[serde(default = "yes")]
    pub unpack: bool,
    /// Restores the files of its subject too, and of the subject's subject.
    #[serde(default)]
    pub include_subject: bool,
    /// Of an index the manifest for this platform, `os/architecture[/variant]`.
    #[schemars(with = "Option<String>")]
    pub platform: Option<Spanned<String>>,
    /// What to print; nothing by default.
    pub print: Option<PullPrint>,
}

/// What `pull` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PullPrint {
    /// The files as a tree.
    Tree,
}

const fn yes() -> bool {
    true
}

impl Declare for Pull {
    const NAME: &'static str = "pull";
    const SUMMARY: &'static str = "Restores the files of an artifact.";
    const EXAMPLE: &'static str = "\
from: localhost:5000/samples/artifact:readme
to: download/readme
print: tree
";
    const MORE: &'static [&'static str] = &["\
from: localhost:5000/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
to: download/sbom
if_exists: keep
unpack: false
include_subject: true
platform: linux/arm64
"];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Tag, "in `from`, where no digest is"),
        reads(Sort::Graph, "of the repository in `from`"),
        changes(Sort::Path, "the folder `to`"),
    ];
    const OUTPUTS: &'static [OutputInfo] = &[
        REFERENCE,
        DIGEST,
        MEDIA_TYPE,
        SIZE,
        output("files", "a list of the restored paths, relative to the folder, sorted"),
        output("directory", "the folder"),
    ];
}

/// How many layers are fetched at a time.
const TRANSFERS: usize = 8;
/// How many subjects are followed; a chain of more is not made by people.
const SUBJECTS: usize = 100;

/// A layer that has a name.
#[derive(Debug, Clone)]
struct Titled {
    layer: Descriptor,
    title: String,
    is_archive: bool,
}

/// What is wanted in a folder, and how to find out whether it is there.
#[derive(Debug)]
struct Wanted {
    layers: Vec<Titled>,
    folder: PathBuf,
    epoch: Option<u64>,
}

impl Pull {
    /// The manifest, and those that it is about, where they are asked for.
    async fn manifests(&self, cx: &StepContext, store: &dyn Store) -> Result<Vec<Manifest>, StepError> {
        let mut manifest = cx.manifest(&self.from).await?;
        if let Some(platform) = platform(self.platform.as_ref())? {
            manifest = for_platform(store, manifest, &self.from, &platform).await?;
        }
        let mut manifests = vec![manifest];
        while let Some(subject) = manifests.last().and_then(Manifest::subject).filter(|_| self.include_subject) {
            if manifests.iter().any(|seen| *seen.digest() == subject.digest) || manifests.len() > SUBJECTS {
                break;
            }
            let found = store.manifest(&subject.digest.clone().into()).await;
            let found = found.map_err(StepError::store("fetch the subject of", &self.from.value))?;
            let missing = || StepError::NotThere { reference: subject.digest.to_string() };
            let found = found.ok_or_else(missing)?;
            manifests.push(found);
        }
        Ok(manifests)
    }

    fn titled(&self, manifests: &[Manifest]) -> Result<Vec<Titled>, StepError> {
        let mut titled: Vec<Titled> = Vec::new();
        for manifest in manifests {
            let Some(image) = manifest.as_image() else {
                return Err(StepError::WrongManifest {
                    reference: self.from.value.to_string(),
                    what: "an index".to_owned(),
                    wanted: "choose one of its manifests with `platform`, or name it by digest",
                });
            };
            for layer in &image.layers {
                let Some(title) = layer.title() else { continue };
                pack::check_title(title).map_err(StepError::pack(format!("pull {}", self.from.value)))?;
                if titled.iter().any(|other| other.title == title) {
                    let source = PackError::DuplicateTitle { title: title.to_owned() };
                    return Err(StepError::pack(format!("pull {}", self.from.value))(source));
                }
                let is_archive = layer.annotations.get(annotation::ORAS_UNPACK).is_some_and(|unpack| unpack == "true");
                titled.push(Titled {
                    layer: layer.clone(),
                    title: title.to_owned(),
                    is_archive: is_archive && self.unpack,
                });
            }
        }
        Ok(titled)
    }

    /// Fetches every layer to the side, unpacks it there while it arrives, and moves everything into place at the end.
    async fn restore(&self, cx: &StepContext, store: &dyn Store, wanted: Wanted) -> Result<Outcome, StepError> {
        let doing = format!("pull {}", self.from.value);
        let wanted = Arc::new(wanted);
        let prepared = Arc::clone(&wanted);
        let prepared = blocking(move || prepared.stage()).await?;
        let (staging, places) = prepared.map_err(StepError::pack(&doing))?;
        // It goes away with the last who writes to it, also where nobody waits for that any more.
        let staging = Arc::new(staging);
        let writing = TaskTracker::new();
        let fetch = |titled, path| {
            let (staging, writing, doing) = (&staging, &writing, &doing);
            async move {
                let titled: &Titled = titled;
                if titled.is_archive {
                    unpack(cx, store, titled, path, staging, writing, doing).await
                } else {
                    let fetched = fetch(cx, store, &titled.layer, path, writing).await;
                    fetched.map_err(StepError::store("fetch", &titled.title))
                }
            }
        };
        let layers = || wanted.layers.iter().zip(&places);
        let fetched = if wanted.is_tangled() {
            // What is in an archive must not come before the files beside it, nor between those of another archive.
            let in_turn = layers().filter(|it| !it.0.is_archive).chain(layers().filter(|it| it.0.is_archive));
            several(1, in_turn.map(|(titled, path)| fetch(titled, path)).collect()).await
        } else {
            several(TRANSFERS, layers().map(|(titled, path)| fetch(titled, path)).collect()).await
        };
        writing.close();
        writing.wait().await;
        fetched?;
        let existing = match self.if_exists {
            IfExists::Fail => Existing::Fail,
            IfExists::Replace => Existing::Replace,
            IfExists::Keep => Existing::Keep,
        };
        let staging = Arc::into_inner(staging);
        let staging =
            staging.ok_or_else(|| StepError::BrokenOff { message: "a layer is still being written".into() })?;
        let placement = blocking(move || staging.commit(existing)).await?.map_err(StepError::pack(doing))?;
        Ok(match (placement.created, placement.replaced) {
            (_, 1..) => Outcome::Updated,
            (1.., 0) => Outcome::Created,
            (0, 0) => Outcome::Unchanged,
        })
    }
}

impl Wanted {
    /// Where to make all of it, and the place of each layer: a file that is not there, or a directory that is. Blocking.
    fn stage(&self) -> Result<(Staging, Vec<PathBuf>), PackError> {
        let mut staging = Staging::new(&self.folder)?;
        let mut places = vec![PathBuf::new(); self.layers.len()];
        for are_archives in [false, true] {
            for (titled, place) in self.layers.iter().zip(&mut places) {
                if titled.is_archive == are_archives {
                    *place = if are_archives { staging.directory(&titled.title) } else { staging.file(&titled.title) }?;
                }
            }
        }
        Ok((staging, places))
    }

    /// Whether a layer lies in the directory of another one.
    fn is_tangled(&self) -> bool {
        let titles = || self.layers.iter().map(|titled| Path::new(&titled.title));
        let archives = self.layers.iter().filter(|titled| titled.is_archive).map(|titled| Path::new(&titled.title));
        archives.into_iter().any(|archive| titles().any(|other| other != archive && other.starts_with(archive)))
    }

    /// What restoring would come to, where not every file is there already. Blocking, for a moment.
    fn foresee(&self, if_exists: IfExists) -> Result<Outcome, PackError> {
        let there = self.layers.iter().map(|titled| (titled, self.folder.join(&titled.title)));
        let there: Vec<_> = there.filter(|(_, path)| path.symlink_metadata().is_ok()).collect();
        for (titled, path) in &there {
            if if_exists == IfExists::Fail && !titled.is_archive && !pack::verify_file(path, &titled.layer)? {
                return Err(PackError::Exists { path: path.clone() });
            }
        }
        Ok(match (there.is_empty(), if_exists) {
            (true, _) => Outcome::Created,
            (false, IfExists::Keep) if there.len() == self.layers.len() => Outcome::Unchanged,
            (false, _) => Outcome::Updated,
        })
    }

    /// Whether every file is there already, by its size and digest. Blocking.
    fn is_there(&self) -> Result<bool, PackError> {
        for titled in &self.layers {
            let path = self.folder.join(&titled.title);
            let same = if titled.is_archive {
                // A folder that consign or oras packed has the digest of its tar on it, so it need not be fetched.
                let options = LayerOptions {
                    form: LayerForm::Artifact,
                    modified: self.epoch.unwrap_or(0),
                    ..LayerOptions::artifact(&titled.title)
                };
                let expected = titled.layer.annotations.get(annotation::ORAS_CONTENT_DIGEST);
                path.is_dir() && Some(&pack::directory_digest(&path, &options)?.to_string()) == expected
            } else {
                path.is_file() && pack::verify_file(&path, &titled.layer)?
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The paths that the layers have now, relative to the folder, sorted. Blocking.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for titled in &self.layers {
            if !titled.is_archive {
                files.push(titled.title.clone());
                continue;
            }
            let walk = walkdir::WalkDir::new(self.folder.join(&titled.title)).into_iter().filter_map(Result::ok);
            let below = walk.filter(|entry| !entry.file_type().is_dir()).filter_map(|entry| {
                entry.path().strip_prefix(&self.folder).ok().map(|path| path.to_string_lossy().into_owned())
            });
            files.extend(below);
        }
        files.sort();
        files
    }
}

/// Unpacks a layer while it arrives. What is wrong with its bytes counts before what that does to the archive.
async fn unpack(
    cx: &StepContext,
    store: &dyn Store,
    titled: &Titled,
    directory: &Path,
    staging: &Arc<Staging>,
    writing: &TaskTracker,
    doing: &str,
) -> Result<(), StepError> {
    let fail = || StepError::store("fetch", &titled.title);
    let mut content = store.blob(&titled.layer).await.map_err(fail())?;
    let transfer = cx.progress.transfer(&titled.layer);
    let expected = titled.layer.annotations.get(annotation::ORAS_CONTENT_DIGEST);
    let options = UnpackOptions {
        strip_title: Some(titled.title.clone()),
        expected: expected.and_then(|digest| digest.parse().ok()),
        ..UnpackOptions::default()
    };
    let compression = Compression::of_media_type(&titled.layer.media_type);
    let (tx, arriving) = Arriving::new();
    let (directory, staging) = (directory.to_owned(), Arc::clone(staging));
    let unpacked = writing.spawn_blocking(move || {
        let _keeps_the_folder = staging;
        pack::unpack(arriving, compression, &directory, &options)
    });
    while let Some(bytes) = content.next().await {
        let bytes = bytes.map_err(fail())?;
        transfer.advance(bytes.len() as u64);
        // Who reads no more has found a mistake; whether the bytes are what was wanted is still to be seen.
        let _ = tx.send(bytes).await;
    }
    drop(tx);
    let unpacked = unpacked.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
    unpacked.map(drop).map_err(StepError::pack(doing))
}

/// Writes a blob to a file that is not there, verified by the store while it passes.
async fn fetch(
    cx: &StepContext,
    store: &dyn Store,
    layer: &Descriptor,
    path: &Path,
    writing: &TaskTracker,
) -> Result<(), StoreError> {
    let mut content = store.blob(layer).await?;
    let transfer = cx.progress.transfer(layer);
    let (tx, mut arriving) = Arriving::new();
    let place = path.to_owned();
    let written = writing.spawn_blocking(move || arriving.write_to(&mut File::create_new(place)?));
    while let Some(bytes) = content.next().await {
        let bytes = bytes?;
        let length = bytes.len() as u64;
        if tx.send(bytes).await.is_err() {
            break;
        }
        transfer.advance(length);
    }
    drop(tx);
    let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    written.map_err(|source| StoreError::Io { path: path.to_owned(), source })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StepError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StepError::BrokenOff { message: error.to_string() })
}

#[async_trait]
impl Step for Pull {
    fn effects(&self, places: &Places) -> Effects {
        let target = places.target(&self.to).unwrap_or_else(|_| places.workdir.clone());
        read_effects(Effects::default(), &self.from, places).write(Thing::path(&target))
    }

    fn check(&self, places: &Places) -> Vec<Diagnostic> {
        let outside = places.target(&self.to).err();
        let outside = outside.map(|error| Diagnostic::new(error.to_string()).at(self.to.span));
        let platform = check_platform(self.platform.as_ref());
        check_subject(&self.from).into_iter().chain(platform).chain(outside).collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        guess
            .manifest(&self.from.repository)
            .with("files", json!([guess.text("files")]))
            .with("directory", self.to.as_str())
    }

    async fn missing(
        &self,
        cx: &StepContext,
        output: &Output,
        overwritten: Overwritten<'_>,
    ) -> Result<Option<String>, StepError> {
        let folder = cx.places.target(&self.to)?;
        if overwritten(&Thing::path(&folder)) {
            return Ok(None);
        }
        let files = output.get("files").and_then(serde_json::Value::as_array).into_iter().flatten();
        let mut files = files.filter_map(serde_json::Value::as_str);
        let gone = files.find(|file| folder.join(file).symlink_metadata().is_err());
        Ok(gone.map(|file| format!("{}/{file} is not there any more", self.to.as_str())))
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        let store = cx.open(&self.from.repository);
        let manifests = self.manifests(cx, &*store).await?;
        let layers = self.titled(&manifests)?;
        let folder = cx.places.target(&self.to)?;
        if layers.is_empty() {
            cx.progress.warn(format!("{} has no layer with a file name: nothing to restore", self.from.value));
        }
        let wanted = Arc::new(Wanted { layers: layers.clone(), folder: folder.clone(), epoch: cx.epoch });
        let look = Arc::clone(&wanted);
        let is_there = blocking(move || look.is_there()).await?;
        let outcome = if is_there.map_err(StepError::pack(format!("pull {}", self.from.value)))? {
            Outcome::Unchanged
        } else if cx.mode.is_preview() {
            wanted.foresee(self.if_exists).map_err(StepError::pack(format!("pull {}", self.from.value)))?
        } else {
            self.restore(cx, &*store, Wanted { layers, folder, epoch: cx.epoch }).await?
        };
        let files = blocking(move || wanted.files()).await?;
        if let Some(PullPrint::Tree) = self.print {
            cx.progress.print(tree::draw(&Tree::of_paths(&self.to, &files)));
        }
        let manifest = manifests.first().map(Manifest::descriptor);
        let manifest = manifest.ok_or_else(|| StepError::NotThere { reference: self.from.value.to_string() })?;
        let output = Output::of_manifest(&self.from.repository, &manifest)
            .with("files", json!(files))
            .with("directory", self.to.as_str())
            .about(self.to.as_str());
        Ok(Done::new(outcome, output))
    }
}
