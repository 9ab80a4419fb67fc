//! The config of an image that is made on another one: what the base says stays, unless the plan says otherwise.

use serde_json::{Map, Value, json};

use super::Image;
use crate::oci::Digest;

/// What else the base says of how it was made, and of the container that it was made in: it is not so any more.
const OF_THE_BASE_ALONE: [&str; 7] =
    ["created", "container", "container_config", "docker_version", "id", "parent", "throwaway"];
const OF_ITS_CONTAINER: [&str; 9] =
    ["Hostname", "Domainname", "Image", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"];

/// A layer that was added.
pub(super) struct Added {
    /// Where it comes from, as the history tells it.
    pub(super) created_by: String,
    pub(super) diff_id: Digest,
}

/// The config of `image` on the base that has the config `base` and `below` layers.
pub(super) fn on_base(
    image: &Image,
    base: &Map<String, Value>,
    below: usize,
    added: &[Added],
    created: Option<&str>,
) -> Value {
    let mut config = base.clone();
    for key in OF_THE_BASE_ALONE {
        config.shift_remove(key);
    }
    if let Some(created) = created {
        config.shift_insert(0, "created".to_owned(), json!(created));
    }
    let container = config.entry("config").or_insert_with(|| json!({}));
    if !container.is_object() {
        *container = json!({});
    }
    if let Some(container) = container.as_object_mut() {
        contain(image, container);
    }
    if let Some(diff_ids) = config.get_mut("rootfs").and_then(|rootfs| rootfs.get_mut("diff_ids")) {
        let ours = added.iter().map(|layer| json!(layer.diff_id));
        *diff_ids = diff_ids.as_array().into_iter().flatten().cloned().chain(ours).collect();
    } else {
        let diff_ids: Vec<_> = added.iter().map(|layer| &layer.diff_id).collect();
        config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    }
    match history(config.get("history"), below, added, created) {
        Some(history) => config.insert("history".to_owned(), history),
        None => config.shift_remove("history"),
    };
    Value::Object(config)
}

/// How a container of it runs. A new entrypoint does not get the arguments of the old one, as Docker has it.
fn contain(image: &Image, container: &mut Map<String, Value>) {
    // Triggers are for who builds with a Dockerfile, and are spent when something was built.
    for key in OF_ITS_CONTAINER.into_iter().chain(["OnBuild"]) {
        container.shift_remove(key);
    }
    if let Some(user) = &image.user {
        container.insert("User".to_owned(), json!(user));
    }
    if !image.env.is_empty() {
        let mut env: Vec<Value> =
            container.get("Env").and_then(Value::as_array).into_iter().flatten().cloned().collect();
        for (name, value) in &image.env {
            let ours = json!(format!("{name}={value}"));
            let of_name = |entry: &&mut Value| {
                entry.as_str().is_some_and(|text| text.split_once('=').map_or(text, |(name, _)| name) == name)
            };
            match env.iter_mut().find(of_name) {
                Some(entry) => *entry = ours,
                None => env.push(ours),
            }
        }
        container.insert("Env".to_owned(), Value::Array(env));
    }
    if let Some(entrypoint) = &image.entrypoint {
        container.insert("Entrypoint".to_owned(), json!(entrypoint));
        container.shift_remove("Cmd");
    }
    if let Some(cmd) = &image.cmd {
        container.insert("Cmd".to_owned(), json!(cmd));
    }
    // Nothing is no program, and no arguments.
    for key in ["Entrypoint", "Cmd"] {
        if container.get(key).is_some_and(|given| given.as_array().is_none_or(Vec::is_empty)) {
            container.shift_remove(key);
        }
    }
    if let Some(workdir) = &image.workdir {
        container.insert("WorkingDir".to_owned(), json!(workdir));
    }
    if !image.labels.is_empty() {
        let mut labels = container.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default();
        labels.extend(image.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
        container.insert("Labels".to_owned(), Value::Object(labels));
    }
}

/// The history of both, where the base has one that tells of each of its layers. One that does not fit is worse than none.
fn history(base: Option<&Value>, below: usize, added: &[Added], created: Option<&str>) -> Option<Value> {
    let mut entries: Vec<Value> = base.and_then(Value::as_array).into_iter().flatten().cloned().collect();
    let is_layer = |entry: &&Value| entry["empty_layer"] != json!(true);
    if entries.iter().filter(is_layer).count() != below {
        return None;
    }
    for layer in added {
        let mut entry = Map::new();
        if let Some(created) = created {
            entry.insert("created".to_owned(), json!(created));
        }
        entry.insert("created_by".to_owned(), json!(layer.created_by));
        entries.push(Value::Object(entry));
    }
    (!entries.is_empty()).then_some(Value::Array(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{SourceFile, yaml};

    fn image(text: &str) -> Image {
        let source = SourceFile::new("image", format!("to: localhost:5000/a\nlayers: []\n{text}"));
        let mut diagnostics = Vec::new();
        let image = yaml::decode(&yaml::parse(&source).unwrap(), "image", &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        image.unwrap()
    }

    fn base() -> Map<String, Value> {
        let base = json!({
            "architecture": "amd64", "created": "2020-01-01T00:00:00Z", "docker_version": "20.10", "os": "linux",
            "config": {
                "Hostname": "x", "Env": ["PATH=/bin", "A=1"], "Entrypoint": ["/old"], "Cmd": ["-v"], "Image": "sha256:y",
                "Labels": { "a": "1", "b": "2" }, "OnBuild": ["RUN true"], "Healthcheck": { "Test": ["NONE"] },
                "Volumes": null
            },
            "history": [{ "created_by": "ADD /" }, { "created_by": "CMD", "empty_layer": true }],
            "rootfs": { "type": "layers", "diff_ids": ["sha256:1"] }
        });
        base.as_object().unwrap().clone()
    }

    fn container(text: &str) -> Value {
        on_base(&image(text), &base(), 1, &[], None)["config"].clone()
    }

    #[test]
    fn what_the_base_says_stays_but_for_how_it_was_made() {
        let config = on_base(&image(""), &base(), 1, &[], None);
        let expected = json!({
            "architecture": "amd64", "os": "linux",
            "config": {
                "Env": ["PATH=/bin", "A=1"], "Entrypoint": ["/old"], "Cmd": ["-v"], "Labels": { "a": "1", "b": "2" },
                "Healthcheck": { "Test": ["NONE"] }, "Volumes": null
            },
            "history": [{ "created_by": "ADD /" }, { "created_by": "CMD", "empty_layer": true }],
            "rootfs": { "type": "layers", "diff_ids": ["sha256:1"] }
        });
        assert_eq!(config.to_string(), expected.to_string());
    }

    #[test]
    fn env_and_labels_are_added_and_replaced_where_they_stand() {
        let container = container("env: { A: '2', B: '3' }\nlabels: { b: '3', c: '4' }\nuser: me\nworkdir: /w\n");
        assert_eq!(container["Env"], json!(["PATH=/bin", "A=2", "B=3"]));
        assert_eq!(container["Labels"], json!({ "a": "1", "b": "3", "c": "4" }));
        assert_eq!((&container["User"], &container["WorkingDir"]), (&json!("me"), &json!("/w")));
    }

    #[test]
    fn a_new_entrypoint_drops_the_old_arguments_and_new_arguments_keep_the_entrypoint() {
        for (text, entrypoint, cmd) in [
            ("entrypoint: [/new]", json!(["/new"]), Value::Null),
            ("cmd: [-q]", json!(["/old"]), json!(["-q"])),
            ("entrypoint: [/new]\ncmd: [-q]", json!(["/new"]), json!(["-q"])),
            ("entrypoint: []", Value::Null, Value::Null),
            ("cmd: []", json!(["/old"]), Value::Null),
        ] {
            let container = container(text);
            assert_eq!((&container["Entrypoint"], &container["Cmd"]), (&entrypoint, &cmd), "{text}");
        }
    }

    #[test]
    fn the_history_grows_where_it_fits_and_goes_where_it_does_not() {
        let added = [Added { created_by: "consign: x at /".to_owned(), diff_id: Digest::sha256(b"x") }];
        let config = on_base(&image(""), &base(), 1, &added, Some("2026-01-01T00:00:00Z"));
        let last = json!({ "created": "2026-01-01T00:00:00Z", "created_by": "consign: x at /" });
        assert_eq!((config["history"].as_array().unwrap().len(), &config["history"][2]), (3, &last));
        assert_eq!(config["created"], json!("2026-01-01T00:00:00Z"));
        assert_eq!(config["rootfs"]["diff_ids"], json!(["sha256:1", Digest::sha256(b"x")]));
        assert_eq!(on_base(&image(""), &base(), 2, &added, None).get("history"), None);
    }
}
