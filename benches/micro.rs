//! Microbenchmarks of what consign does itself, without a network: `cargo bench`, or `cargo bench -- packing` for some.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot begin may panic")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, sync::Arc};

use bytes::Bytes;
use consign::{
    event::{Progress, StepId},
    graph::{Graph, Part},
    oci::{Algorithm, Descriptor, Hasher, ImageManifest, Manifest, Repository, Tag, Target},
    pack::{Compression, LayerOptions, directory_digest, pack_directory},
    plan::{Given, SourceFile},
    program::{CompileOptions, Program, compile},
    step::{Mode, Places},
    store::{CopyOptions, MemoryStore, Source, Standing, Store, copy},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tokio::{runtime::Runtime, sync::mpsc};

const MIB: usize = 1024 * 1024;

/// Bytes that compress to about a quarter, the same every time.
fn text(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut text = String::with_capacity(length + 64);
    while text.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = writeln!(text, "line {} says {:x} and nothing else", state >> 48, state >> 40);
    }
    text.truncate(length);
    text.into_bytes()
}

fn hashing(c: &mut Criterion) {
    let content = text(16 * MIB);
    let mut group = c.benchmark_group("hashing");
    group.throughput(Throughput::Bytes(content.len() as u64));
    for (name, algorithm) in [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut hasher = Hasher::new(algorithm);
                content.chunks(MIB).for_each(|piece| hasher.update(piece));
                hasher.finish()
            });
        });
    }
    group.finish();
}

/// 2,000 files of 8 KiB in 20 folders.
fn write_tree(folder: &Path) -> u64 {
    let content = text(8 * 1024 + 2000);
    for number in 0..2000 {
        let below = folder.join((number % 20).to_string());
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join(number.to_string()), content.get(number..number + 8 * 1024).unwrap()).unwrap();
    }
    2000 * 8 * 1024
}

fn packing(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let bytes = write_tree(folder.path());
    let mut group = c.benchmark_group("packing");
    group.throughput(Throughput::Bytes(bytes)).sample_size(10);
    for (name, compression) in [("tar", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)] {
        let options = LayerOptions { compression, ..LayerOptions::artifact("tree") };
        group.bench_function(name, |b| b.iter(|| pack_directory(folder.path(), &options).unwrap()));
    }
    group.bench_function("digest alone", |b| {
        b.iter(|| directory_digest(folder.path(), &LayerOptions::artifact("tree")).unwrap());
    });
    group.finish();
}

/// So many groups of three steps that use each other's outputs.
fn plan(groups: usize) -> String {
    let mut plan = "consign: 1\nvars:\n  TEAM: registry.example/team\nsteps:\n".to_owned();
    for group in 0..groups {
        let _ = write!(
            plan,
            "  - id: push_{group}
    push:
      to: ${{{{ TEAM }}}}/app-{group}:v1
      files: [{{ name: program.txt, content: program {group} }}]
  - id: attach_{group}
    attach:
      subject: ${{{{ steps.push_{group}.reference }}}}
      artifact_type: sbom/example
      files: [{{ name: sbom.json, json: {{ digest: \"${{{{ steps.push_{group}.digest }}}}\" }} }}]
  - id: copy_{group}
    copy:
      from: ${{{{ TEAM }}}}/app-{group}@${{{{ steps.push_{group}.digest }}}}
      to: staging.example/team/app-{group}:v1
"
        );
    }
    plan
}

fn compiled(source: &SourceFile) -> Program {
    let given = Given { set: Vec::new(), files: Vec::new(), environment: BTreeMap::new() };
    let places = Places::new("/tmp", "/tmp");
    let options = CompileOptions { given, skip: Vec::new(), select: Vec::new(), places, mode: Mode::Real };
    compile(source, &options).unwrap()
}

fn front_end(c: &mut Criterion) {
    let source = SourceFile::new("plan.yaml", plan(1000));
    let mut group = c.benchmark_group("front end");
    group.throughput(Throughput::Elements(3000)).sample_size(20);
    group.bench_function("3,000 steps, from text to program", |b| b.iter(|| compiled(&source)));
    let program = compiled(&source);
    let part = |step: &consign::program::Planned| Part {
        id: step.id.clone(),
        effects: step.effects.clone(),
        gate: step.gate,
        data: Vec::new(),
        needs: Vec::new(),
    };
    let parts: Vec<Part> = program.steps().iter().map(part).collect();
    group.bench_function("3,000 steps, from effects to graph", |b| b.iter(|| Graph::new(&parts)));
    group.finish();
}

/// A repository in memory with `v1`, and so many manifests that refer to it, each with a blob of 4 KiB.
async fn filled(referrers: usize) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(repository("localhost:5000/source")));
    let empty = Bytes::from_static(b"{}");
    store.push_blob(&Descriptor::empty(), &Source::bytes(empty), None).await.unwrap();
    let mut subject = None;
    for number in 0..=referrers {
        let content = text(4096 + number);
        let layer = Descriptor::of("text/plain", &content);
        store.push_blob(&layer, &Source::bytes(content), None).await.unwrap();
        let image = ImageManifest {
            artifact_type: Some("test/example".to_owned()),
            layers: vec![layer],
            subject: subject.clone(),
            ..ImageManifest::new(Descriptor::empty())
        };
        let manifest = Manifest::from_image(image).unwrap();
        let tag: Tag = "v1".parse().unwrap();
        store.push_manifest(&manifest, subject.is_none().then_some(&tag)).await.unwrap();
        subject.get_or_insert(manifest.descriptor());
    }
    store
}

fn repository(text: &str) -> Repository {
    text.parse::<consign::oci::Reference>().unwrap().repository
}

fn copying(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (source, root) = runtime.block_on(async {
        let source = filled(300).await;
        let root = source.manifest(&Target::Tag("v1".parse().unwrap())).await.unwrap().unwrap();
        (source, root)
    });
    let (tx, _rx) = mpsc::unbounded_channel();
    let progress = Progress::new(StepId::new(0, "copy"), tx);
    let mut group = c.benchmark_group("copying");
    group.throughput(Throughput::Elements(301)).sample_size(20);
    group.bench_function("300 referrers between memory stores", |b| {
        b.to_async(&runtime).iter_batched(
            || -> Arc<dyn Store> { Arc::new(MemoryStore::new(repository("localhost:5001/target"))) },
            |target| {
                let (source, root, progress) = (Arc::clone(&source), root.clone(), progress.clone());
                async move {
                    let options = CopyOptions::default();
                    copy(&source, &root, &target, &options, &progress, Standing::Unknown).await
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, hashing, packing, front_end, copying);
criterion_main!(benches);
