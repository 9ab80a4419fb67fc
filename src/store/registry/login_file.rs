use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{
    Credential, CredentialError, CredentialSource,
    credential_file::{Key, server},
    credential_helper::Helper,
    credentials,
};
use crate::oci::RegistryName;

/// The file that `consign login` writes, and the helpers that it names: Docker's `config.json`, so that other programs
/// see the login. What else stands in it stays, in its order.
///
/// <https://docs.docker.com/reference/cli/docker/login/#credential-stores>
#[derive(Debug, Clone)]
pub struct LoginFile {
    path: PathBuf,
}

impl LoginFile {
    /// The file that is read first: `REGISTRY_AUTH_FILE` where it is set, otherwise `config.json` under `DOCKER_CONFIG`
    /// or in `.docker` of the home folder.
    pub fn from_environment() -> Result<Self, CredentialError> {
        credentials::login_file().map(|path| Self { path })
    }

    /// That file.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a login, with the helper of the registry, the store of all registries or, where the file names neither, in
    /// the file itself. Gives where it is kept.
    pub async fn store(
        &self,
        registry: &RegistryName,
        credential: &Credential,
    ) -> Result<CredentialSource, CredentialError> {
        let mut config = self.read()?;
        let server = server(registry);
        if let Some(helper) = self.helper(&config, registry)? {
            helper.store(&server, credential).await?;
            // What stood here until now would be found by those who do not ask the helper.
            if self.remove(&mut config, registry)? {
                self.write(&config)?;
            }
            return Ok(helper.source(&server));
        }
        let entry = entry(credential);
        self.replace(&mut config, registry, &server, entry)?;
        self.write(&config)?;
        Ok(CredentialSource::File { path: self.path.clone(), entry: server })
    }

    /// Forgets the login for the registry as a whole, in the helper and in the file. Gives where it was looked for; in
    /// the file only where it was there.
    pub async fn erase(&self, registry: &RegistryName) -> Result<Vec<CredentialSource>, CredentialError> {
        let mut config = self.read()?;
        let server = server(registry);
        let mut erased = Vec::new();
        if let Some(helper) = self.helper(&config, registry)? {
            helper.erase(&server).await?;
            erased.push(helper.source(&server));
        }
        if self.remove(&mut config, registry)? {
            self.write(&config)?;
            erased.push(CredentialSource::File { path: self.path.clone(), entry: server });
        }
        Ok(erased)
    }

    fn read(&self) -> Result<Map<String, Value>, CredentialError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(self.error(error.to_string())),
        };
        if text.trim_ascii().is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_slice(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.error(format!("not a Docker credential file: line {line}, column {column}"))
        })
    }

    /// The program that keeps the logins of this registry, where the file names one. An empty name means none.
    fn helper(&self, config: &Map<String, Value>, registry: &RegistryName) -> Result<Option<Helper>, CredentialError> {
        let helpers = match config.get("credHelpers") {
            None | Some(Value::Null) => None,
            Some(Value::Object(helpers)) => Some(helpers),
            Some(_) => return Err(self.error("`credHelpers` is not an object".to_owned())),
        };
        let own = helpers.into_iter().flatten().find(|(key, _)| is_for(key, registry)).map(|(_, helper)| helper);
        let name = own.or_else(|| config.get("credsStore")).and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() { Ok(None) } else { Helper::new(name).map(Some) }
    }

    /// Takes out every entry for the registry as a whole: old Dockers wrote it as a URL. `false`: there was none.
    fn remove(&self, config: &mut Map<String, Value>, registry: &RegistryName) -> Result<bool, CredentialError> {
        let Some(auths) = self.auths(config)? else { return Ok(false) };
        let before = auths.len();
        auths.retain(|key, _| !is_for(key, registry));
        Ok(auths.len() != before)
    }

    fn replace(
        &self,
        config: &mut Map<String, Value>,
        registry: &RegistryName,
        server: &str,
        entry: Value,
    ) -> Result<(), CredentialError> {
        if config.get("auths").is_none_or(Value::is_null) {
            config.insert("auths".to_owned(), Value::Object(Map::new()));
        }
        let Some(auths) = self.auths(config)? else { return Ok(()) };
        auths.retain(|key, _| key == server || !is_for(key, registry));
        auths.insert(server.to_owned(), entry);
        Ok(())
    }

    fn auths<'a>(
        &self,
        config: &'a mut Map<String, Value>,
    ) -> Result<Option<&'a mut Map<String, Value>>, CredentialError> {
        match config.get_mut("auths") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(auths)) => Ok(Some(auths)),
            Some(_) => Err(self.error("`auths` is not an object".to_owned())),
        }
    }

    /// The whole file at once, for its owner alone; where it is a link, what it leads to.
    fn write(&self, config: &Map<String, Value>) -> Result<(), CredentialError> {
        let fail = |error: io::Error| self.error(error.to_string());
        let path = match fs::canonicalize(&self.path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.path.clone(),
            Err(error) => return Err(fail(error)),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        create_folder(folder).map_err(fail)?;
        // A temporary file is its owner's alone from the start.
        let mut file = tempfile::Builder::new().prefix(".consign-login-").tempfile_in(folder).map_err(fail)?;
        let mut text = Vec::new();
        // As Docker writes it.
        let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, format);
        serde::Serialize::serialize(config, &mut serializer).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        file.write_all(&text).map_err(fail)?;
        file.as_file().sync_all().map_err(fail)?;
        file.persist(path).map(drop).map_err(|error| fail(error.error))
    }

    fn error(&self, message: String) -> CredentialError {
        CredentialError::File { path: self.path.clone(), message }
    }
}

/// Whether an entry is for the registry as a whole.
fn is_for(key: &str, registry: &RegistryName) -> bool {
    Key::parse(key).is_some_and(|key| key.registry == *registry && key.path.is_empty())
}

fn entry(credential: &Credential) -> Value {
    let (name, value) = match credential {
        Credential::Basic { username, password } => {
            ("auth", STANDARD.encode(format!("{username}:{}", password.reveal())))
        }
        Credential::Identity(token) => ("identitytoken", token.reveal().to_owned()),
        Credential::Token(token) => ("registrytoken", token.reveal().to_owned()),
    };
    Value::Object([(name.to_owned(), Value::String(value))].into_iter().collect())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Credentials, Secret},
        *,
    };

    fn me(word: &str) -> Credential {
        Credential::Basic { username: "me".to_owned(), password: Secret::new(word) }
    }

    fn name(text: &str) -> RegistryName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_login_is_added_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let before = r#"{"zeta": {"b": 1, "a": [1.5, null]}, "auths": {"https://r.io/v1/": {"auth": "b2xkOm9sZA=="},
            "s.io": {"auth": "YTox", "email": "x"}, "r.io/team": {"auth": "Yjoy"}}, "alpha": true}"#;
        fs::write(&path, before).unwrap();
        let file = LoginFile::at(path.clone());
        let source = file.store(&name("r.io"), &me("word")).await.unwrap();
        assert_eq!(source, CredentialSource::File { path: path.clone(), entry: "r.io".to_owned() });
        let expected = "{\n\t\"zeta\": {\n\t\t\"b\": 1,\n\t\t\"a\": [\n\t\t\t1.5,\n\t\t\tnull\n\t\t]\n\t},\n\t\"auths\": {\n\t\t\
            \"s.io\": {\n\t\t\t\"auth\": \"YTox\",\n\t\t\t\"email\": \"x\"\n\t\t},\n\t\t\"r.io/team\": {\n\t\t\t\"auth\": \"Yjoy\"\n\t\t},\n\t\t\
            \"r.io\": {\n\t\t\t\"auth\": \"bWU6d29yZA==\"\n\t\t}\n\t},\n\t\"alpha\": true\n}\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let login = Credentials::from_files(vec![path.clone()]).find(&name("r.io"), None).await.unwrap().unwrap();
        assert_eq!((login.credential, login.source), (me("word"), source));
        // The login for a part of the registry is not the registry's.
        assert_eq!(file.erase(&name("r.io")).await.unwrap().len(), 1);
        assert_eq!(file.erase(&name("r.io")).await.unwrap(), []);
        let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(after["auths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["s.io", "r.io/team"]);
    }

    #[tokio::test]
    async fn docker_hub_and_identity_tokens_are_kept_as_docker_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = LoginFile::at(folder.path().join("new/config.json"));
        file.store(&name("docker.io"), &me("word")).await.unwrap();
        file.store(&name("r.azurecr.io"), &Credential::Identity(Secret::new("jwt"))).await.unwrap();
        let config: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
        let expected = serde_json::json!({"auths": {
            "https://index.docker.io/v1/": {"auth": "bWU6d29yZA=="},
            "r.azurecr.io": {"identitytoken": "jwt"},
        }});
        assert_eq!(config, expected);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_file_is_its_owners_alone_and_a_link_stays_one() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.json"), folder.path().join("config.json"));
        fs::write(&real, "").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&real, &link).unwrap();
        LoginFile::at(link.clone()).store(&name("r.io"), &me("word")).await.unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn what_is_no_credential_file_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for bad in
            ["hunter2", "[]", r#"{"auths": []}"#, r#"{"credHelpers": "hunter2"}"#, r#"{"credsStore": "../hunter"}"#]
        {
            fs::write(&path, bad).unwrap();
            let error = LoginFile::at(path.clone()).store(&name("r.io"), &me("word")).await.unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), bad);
        }
    }
}
