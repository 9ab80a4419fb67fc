use std::{fs, process::Output};

use super::registry::{Registry, consign};

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn what_is_read_is_pinned_and_what_is_made_is_proved() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let name = &registry.name;
    let consign = |arguments: &[&str]| consign(folder, arguments).output().unwrap();
    let base = |content: &str| {
        let push =
            format!("push: {{ to: '{name}/base:v1', if_exists: replace, files: [{{ name: a, content: {content} }}] }}");
        fs::write(folder.join("base.yaml"), format!("consign: 1\nsteps:\n  - id: base\n    {push}\n")).unwrap();
        let pushed = consign(&["run", "base.yaml"]);
        assert!(pushed.status.success(), "{}", text(&pushed));
    };
    base("one");
    let plan = |more: &str| {
        format!(
            "consign: 1\nsteps:\n  - id: promote\n    copy: {{ from: '{name}/base:v1', to: '{name}/stable:v1' }}\n  \
             - id: app\n    push: {{ to: '{name}/app:v1', files: [{{ path: file }}] }}\n{more}"
        )
    };
    fs::write(folder.join("file"), "one").unwrap();
    fs::write(folder.join("plan.yaml"), plan("")).unwrap();
    assert_eq!(consign(&["run", "plan.yaml", "--locked"]).status.code(), Some(2));
    let writes = registry.writes().len();
    let locked = consign(&["lock", "plan.yaml"]);
    assert_eq!((locked.status.code(), text(&locked).as_str()), (Some(0), "plan.yaml.lock: 1 reference, 2 steps\n"));
    assert_eq!(registry.writes().len(), writes, "nothing is written");
    // Whatever name of this machine the plan has, one stands in the lock.
    let shown_name = name.replace("127.0.0.1", "localhost");
    let lock = fs::read_to_string(folder.join("plan.yaml.lock")).unwrap();
    let lock: serde_yaml::Value = serde_yaml::from_str(&lock).unwrap();
    let old = lock["references"][format!("{shown_name}/base:v1")].as_str().unwrap().to_owned();
    assert_eq!(lock["steps"]["promote"].as_str(), Some(old.as_str()));
    assert_eq!((consign(&["lock", "plan.yaml", "--check"]).status.code()), Some(0));

    // The base moves on: that is shown, and runs keep to what was locked.
    base("two");
    let check = consign(&["lock", "plan.yaml", "--check"]);
    assert_eq!(check.status.code(), Some(4));
    let shown = text(&check);
    let line = shown.lines().find(|line| line.starts_with(&format!("{shown_name}/base:v1 is sha256:"))).unwrap();
    assert!(line.ends_with(&format!(", and {old} is locked")), "{shown}");
    let run = consign(&["run", "plan.yaml", "--locked"]);
    assert!(run.status.success(), "{}", text(&run));
    assert!(text(&run).contains(&format!("created {name}/stable@{old}")), "{}", text(&run));

    // Other bytes, and a reference that is not locked: nothing is written.
    let writes = registry.writes().len();
    fs::write(folder.join("file"), "two").unwrap();
    let other = format!("  - id: look\n    inspect: {{ reference: '{name}/stable:other' }}\n");
    let tag = format!("consign: 1\nsteps:\n  - id: tag\n    tag: {{ from: '{name}/stable:v1', tags: [other] }}\n");
    fs::write(folder.join("tag.yaml"), tag).unwrap();
    assert!(consign(&["run", "tag.yaml"]).status.success());
    fs::write(folder.join("plan.yaml"), plan(&other).replace("app:v1'", "app:v2'")).unwrap();
    let refused = consign(&["run", "plan.yaml", "--locked"]);
    assert_eq!((refused.status.code(), registry.writes().len()), (Some(4), writes + 1), "{}", text(&refused));
    let said = text(&refused);
    assert!(said.contains(&format!("  {shown_name}/stable:other is {old}, and is not locked\n")), "{said}");
    let app = lock["steps"]["app"].as_str().unwrap();
    let line = said.lines().find(|line| line.starts_with("  `app` makes sha256:")).unwrap();
    assert!(line.ends_with(&format!(", and {app} is locked")), "{said}");
}
