use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use tokio::{fs::File, io::AsyncReadExt};

use super::{StepContext, StepError};
use crate::{
    plan::yaml::{SecretName, Spanned, TextOrSecret},
    secret::Secret,
};

/// A key, a certificate or a password: what a file holds, or a secret of the plan. `${{ NAME }}` of a secret is the
/// secret, any other text is a file's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOrSecret {
    /// Relative to the plan's folder.
    File(Spanned<String>),
    /// To be asked for when it is needed.
    Secret(SecretName),
}

/// Keys and certificates have some kilobytes.
const LONGEST: usize = 1024 * 1024;

impl FileOrSecret {
    /// The path, where it is a file: one of a step's [`sources`](super::Step::sources).
    pub const fn file(&self) -> Option<&Spanned<String>> {
        match self {
            Self::File(path) => Some(path),
            Self::Secret(_) => None,
        }
    }

    /// Which one it is, in words.
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) => format!("`{}`", path.value),
            Self::Secret(SecretName(name)) => format!("the secret `{name}`"),
        }
    }

    /// What it holds now. A secret is asked for as [`StepContext::secret`] asks.
    pub async fn read(&self, cx: &StepContext) -> Result<Secret, StepError> {
        match self {
            Self::Secret(name) => cx.secret(name).await,
            Self::File(path) => {
                let fail = |message: String| StepError::Unreadable { path: path.value.clone(), message };
                let file = File::open(cx.places.source(path)).await.map_err(|error| fail(error.to_string()))?;
                let mut bytes = Vec::new();
                let read = file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).await;
                read.map_err(|error| fail(error.to_string()))?;
                if bytes.len() > LONGEST {
                    return Err(fail(format!("it holds more than {LONGEST} bytes")));
                }
                let text = String::from_utf8(bytes).map_err(|_| fail("it does not hold text in UTF-8".to_owned()))?;
                Ok(Secret::new(text))
            }
        }
    }
}

impl<'de> Deserialize<'de> for FileOrSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, span } = Spanned::<TextOrSecret>::deserialize(deserializer)?;
        Ok(match value {
            TextOrSecret::Text(path) => Self::File(Spanned::new(path, span)),
            TextOrSecret::Secret(name) => Self::Secret(name),
        })
    }
}

impl JsonSchema for FileOrSecret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "file or secret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{Mode, Rehearsing, testing},
        *,
    };
    use crate::{
        plan::{Document, Scope, SourceFile, yaml},
        secret::{LateSecret, SecretSource, Secrets},
    };

    /// What a field of this text is, in a plan with the secret `KEY`.
    fn read(text: &str) -> Result<FileOrSecret, Vec<String>> {
        let source = SourceFile::new("plan.yaml", format!("secrets: {{ KEY: {{ env: KEY }} }}\nx-field: {text}\n"));
        let root = yaml::recover(&source).0.unwrap();
        let field = root.get("x-field").unwrap().clone();
        let mut diagnostics = Vec::new();
        let document = Document::read(root, &[], &mut Vec::new());
        let scope = Scope::new(source, &document, std::sync::Arc::default());
        let read = yaml::decode(&scope.evaluate(&field).unwrap(), "a field", &mut diagnostics);
        read.ok_or_else(|| diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect())
    }

    fn in_file(path: &str) -> FileOrSecret {
        read(path).unwrap()
    }

    fn secrets(folder: &Path) -> Secrets {
        Secrets::new([LateSecret::new("KEY".into(), SecretSource::File(folder.join("secret")))])
    }

    #[test]
    fn a_name_is_a_secret_and_other_text_a_path() {
        assert_eq!(read("${{ KEY }}"), Ok(FileOrSecret::Secret(SecretName("KEY".into()))));
        assert_eq!(read("keys/one.pem").unwrap().file().map(|path| path.value.as_str()), Some("keys/one.pem"));
        assert_eq!(read("[a]"), Err(vec!["a field takes text or a secret, not a list".to_owned()]));
    }

    #[tokio::test]
    async fn a_file_is_read_whole_from_the_plans_folder_and_no_more_than_a_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let (cx, _rx) = testing::context(folder.path(), Mode::Real, Secrets::default());
        std::fs::write(folder.path().join("key"), "k\n").unwrap();
        std::fs::write(folder.path().join("long"), vec![b'k'; LONGEST + 1]).unwrap();
        std::fs::write(folder.path().join("bytes"), [0xff]).unwrap();
        assert_eq!(in_file("key").read(&cx).await.unwrap(), Secret::new("k\n"));
        let error = async |path| in_file(path).read(&cx).await.unwrap_err().to_string();
        assert_eq!(error("long").await, "`long` cannot be read: it holds more than 1048576 bytes");
        assert_eq!(error("bytes").await, "`bytes` cannot be read: it does not hold text in UTF-8");
        assert!(error("none").await.starts_with("`none` cannot be read: No such file"));
    }

    #[tokio::test]
    async fn a_secret_is_asked_for_where_it_is_meant_and_has_a_stand_in_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let key = read("${{ KEY }}").unwrap();
        let in_mode = async |mode| {
            let (cx, _rx) = testing::context(folder.path(), mode, secrets(folder.path()));
            key.read(&cx).await.map_err(|error| error.to_string())
        };
        let rehearsing = |secrets| Mode::Rehearsal(Rehearsing { secrets, ..Rehearsing::default() });
        assert_eq!(in_mode(rehearsing(false)).await, Ok(Secret::new("stand-in for KEY")));
        assert!(in_mode(Mode::Real).await.unwrap_err().starts_with("the secret `KEY`: the file "));
        std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
        assert_eq!(in_mode(rehearsing(true)).await, Ok(Secret::new("hunter2")));
        assert_eq!(in_mode(Mode::Real).await, Ok(Secret::new("hunter2")));
    }

    #[tokio::test]
    async fn a_secret_that_the_plan_does_not_declare_has_no_value() {
        let folder = tempfile::tempdir().unwrap();
        let (cx, _rx) = testing::context(folder.path(), Mode::Real, secrets(folder.path()));
        let error = cx.secret(&SecretName("OTHER".into())).await.unwrap_err();
        assert_eq!(error.to_string(), "the secret `OTHER`: the plan does not declare it");
    }
}
