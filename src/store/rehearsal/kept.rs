//! The folders of a kept rehearsal: an image layout for each repository, under its name. The folder of a
//! registry is one that `serve --root` takes.

use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::{
    oci::{ArchiveForm, Repository},
    store::layout::{folder_of, name_of},
};

/// Where the image layouts of the plan itself go. It is no name of a registry: those have a dot or a port, or are `localhost`.
const LAYOUTS: &str = "layouts";

/// Where what the plan writes to archives goes: image layouts too.
const ARCHIVES: &str = "archives";

/// The folder of `repository` in `folder`. File systems do not like colons, and no registry has a `+` in its name.
pub(super) fn place(folder: &Path, repository: &Repository, workdir: &Path) -> PathBuf {
    match repository {
        Repository::Registry { registry, name } => {
            folder.join(registry.as_str().replace(':', "+")).join(folder_of(name))
        }
        Repository::Layout(path) => folder.join(LAYOUTS).join(below(path, workdir)),
        Repository::Archive { path, .. } => folder.join(ARCHIVES).join(below(path, workdir)),
    }
}

/// What of a path is below the work folder.
fn below(path: &Path, workdir: &Path) -> PathBuf {
    let below = path.strip_prefix(workdir).unwrap_or(path);
    below.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// The repository whose folder in a kept one this is; the path of an image layout begins at the work folder.
pub(super) fn repository(below: &Path) -> Option<Repository> {
    let mut parts = below.components();
    let first = parts.next()?.as_os_str().to_str()?;
    let rest = parts.as_path();
    if first == LAYOUTS {
        return Some(Repository::Layout(rest.to_path_buf()));
    }
    if first == ARCHIVES {
        return Some(Repository::Archive { form: ArchiveForm::Oci, path: rest.to_path_buf() });
    }
    let registry = first.replace('+', ":").parse().ok()?;
    Some(Repository::Registry { registry, name: name_of(rest)? })
}

/// Whether there is an image layout.
pub(super) fn is_layout(path: &Path) -> bool {
    path.join("oci-layout").is_file()
}

/// The image layouts in a kept folder, sorted.
pub(super) fn layouts(folder: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    let markers = entries.filter(|entry| entry.file_type().is_file() && entry.file_name() == "oci-layout");
    markers.filter_map(|marker| marker.path().parent().map(Path::to_path_buf)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Reference;

    #[test]
    fn a_folder_names_its_repository() {
        let (folder, workdir) = (Path::new("/kept"), Path::new("/scratch"));
        for (text, expected) in [
            ("localhost:5000/a", "/kept/localhost+5000/a"),
            ("[::1]:5000/a/b", "/kept/[++1]+5000/a/b"),
            ("registry.example.com/team/app", "/kept/registry.example.com/team/app"),
            ("registry.example.com/app/blobs", "/kept/registry.example.com/app/_blobs"),
            ("oci-layout:export/tally", "/kept/layouts/export/tally"),
            ("oci-archive:export/tally.tar", "/kept/archives/export/tally.tar"),
        ] {
            let named = text.parse::<Reference>().unwrap().repository;
            let absolute = named.path().map_or_else(|| named.clone(), |path| named.at(workdir.join(path)));
            let placed = place(folder, &absolute, workdir);
            assert_eq!(placed, Path::new(expected));
            assert_eq!(repository(placed.strip_prefix(folder).unwrap()), Some(named));
        }
        for nothing in ["", "registry.example.com", "a b/c", "registry.example.com/UPPER"] {
            assert_eq!(repository(Path::new(nothing)), None, "{nothing}");
        }
    }
}
