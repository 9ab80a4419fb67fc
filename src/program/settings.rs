//! What a plan says about registries and secrets, worked out before any step.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use super::allowed::Allowed;
use crate::{
    oci::{RegistryName, RegistryPrefix},
    plan::{
        AllowDeclaration, Diagnostic, Document, Names, Position, RegistryDeclaration, RehearsalDeclaration, Scope,
        SecretDeclaration, Unset,
        yaml::{Entry, Key, Node, NodeKind, Scalar, SecretName, Spanned, Style, TextOrSecret, decode},
    },
    secret::{LateSecret, SecretSource, Secrets},
    step::{Aliases, Places},
    store::{
        Seed,
        registry::{LateCredential, LateText, Limits, RegistrySettings, Tls, TlsError},
    },
};

/// What `registries` and `secrets` say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) registries: BTreeMap<RegistryName, RegistrySettings>,
    pub(super) aliases: Aliases,
    /// What the plan may do, where it says so.
    pub(super) allowed: Option<Allowed>,
    /// The same for each plan that it includes.
    pub(super) allowed_included: Vec<Option<Allowed>>,
    pub(super) secrets: Secrets,
    /// What a rehearsal begins with.
    pub(super) seeds: Vec<Seed>,
    /// Inputs without a value that they would need.
    pub(super) lacking: BTreeSet<Arc<str>>,
}

/// Works out the settings, or says everything that is wrong with them.
pub(super) fn read(
    document: &Document,
    names: &Names<'_>,
    scope: &Scope,
    unset: &Unset,
    places: &Places,
    diagnostics: &mut Vec<Diagnostic>,
) -> Settings {
    let scope = scope.clone();
    let mut reading = Reading {
        names,
        scope,
        module: 0,
        is_in_loop: false,
        unset,
        places,
        diagnostics,
        settings: Settings::default(),
    };
    reading.settings.allowed = document.allow.as_ref().and_then(|node| reading.allowed(node));
    for (number, included) in document.included.iter().enumerate() {
        let root = reading.scope.clone();
        reading.scope = root.within(&included.prefix);
        (reading.module, reading.is_in_loop) = (number + 1, included.is_in_loop);
        let allowed = included.allow.as_ref().and_then(|node| reading.allowed(node));
        reading.settings.allowed_included.push(allowed);
        reading.seeds(included.rehearse.as_ref(), &included.folder);
        reading.scope = root;
    }
    (reading.module, reading.is_in_loop) = (0, false);
    reading.seeds(document.rehearse.as_ref(), &places.plan_folder);
    let secrets = reading.secrets(&document.secrets);
    reading.registries(&document.registries, &secrets);
    reading.settings.secrets = Secrets::new(secrets.into_values().flatten());
    reading.settings
}

struct Reading<'a> {
    names: &'a Names<'a>,
    scope: Scope,
    /// The plan whose settings they are.
    module: usize,
    /// Whether that plan is included once for each item of a loop.
    is_in_loop: bool,
    unset: &'a Unset,
    places: &'a Places,
    diagnostics: &'a mut Vec<Diagnostic>,
    settings: Settings,
}

/// What to say of a setting that would have to be another one for each item.
fn per_item(node: &Node, input: &str) -> Diagnostic {
    let name = input.rsplit('/').next().unwrap_or_default();
    let message = format!("`{name}` is not the same for all items of the `foreach` that includes this plan");
    let diagnostic = Diagnostic::new(message).at(node.span).label("this is read once for all of them");
    diagnostic.help("use patterns that fit what is done for every item")
}

/// What is said of one registry, and where.
struct Said {
    key: Key,
    name: RegistryName,
    declaration: RegistryDeclaration,
    /// Whether everything could be read.
    is_whole: bool,
}

impl Reading<'_> {
    /// The node with every expression replaced by its value. Nothing: something is missing or wrong, and was said.
    fn evaluate(&mut self, node: &Node) -> Option<Node> {
        let uses = self.names.check(node, Position::Settings(self.module), self.diagnostics);
        let lacking: Vec<_> = uses.inputs.iter().filter_map(|input| self.unset.get(input)).collect();
        self.settings.lacking.extend(lacking.iter().copied().flatten().cloned());
        if uses.broken || !lacking.is_empty() {
            return None;
        }
        let value = self.scope.evaluate(node).map_err(|diagnostic| match uses.inputs.first() {
            Some(input) if self.is_in_loop => per_item(node, input),
            _ => diagnostic,
        });
        value.map_err(|diagnostic| self.diagnostics.push(diagnostic)).ok()
    }

    fn allowed(&mut self, node: &Node) -> Option<Allowed> {
        let body = self.evaluate(node)?;
        let declaration: AllowDeclaration = decode(&body, "allow", self.diagnostics)?;
        Some(Allowed::read(&declaration, self.places, self.diagnostics))
    }

    /// What a rehearsal of a plan begins with; paths are relative to its folder.
    fn seeds(&mut self, node: Option<&Node>, folder: &Path) {
        let Some(body) = node.and_then(|node| self.evaluate(node)) else { return };
        let declaration = decode::<RehearsalDeclaration>(&body, "rehearse", self.diagnostics).unwrap_or_default();
        for text in &declaration.seed {
            match Seed::parse(text, folder) {
                Ok(seed) if !seed.path().exists() => {
                    let message = format!("file not found: `{}`", text.value);
                    let diagnostic = Diagnostic::new(message).at(text.span);
                    self.diagnostics.push(diagnostic.note(format!("looked for {}", seed.path().display())));
                }
                Ok(seed) => self.settings.seeds.push(seed),
                Err(error) => self.diagnostics.push(Diagnostic::new(error.to_string()).at(text.span)),
            }
        }
    }

    fn refuse(&mut self, node: &Spanned<impl Sized>, message: impl Into<String>, help: &str) {
        self.diagnostics.push(Diagnostic::new(message).at(node.span).help(help));
    }

    fn secrets(&mut self, entries: &[Entry]) -> BTreeMap<Arc<str>, Option<LateSecret>> {
        let secret = |entry: &Entry| {
            let name = Arc::clone(&entry.key.text);
            let source = self.source(entry);
            (Arc::clone(&name), source.map(|source| LateSecret::new(name, source)))
        };
        entries.iter().map(secret).collect()
    }

    fn source(&mut self, entry: &Entry) -> Option<SecretSource> {
        if let Some(scalar) = entry.value.scalar().filter(|scalar| !scalar.text.is_empty()) {
            let is_literal = !scalar.text.contains("${{");
            let diagnostic = Diagnostic::new("a secret says where it comes from, not what it is").at(entry.value.span);
            let diagnostic = diagnostic.help(format!("write `{0}: {{ env: {0} }}`", entry.key.text));
            self.diagnostics.push(if is_literal { diagnostic.hide() } else { diagnostic });
            return None;
        }
        let body = self.evaluate(&entry.value)?;
        let before = self.diagnostics.len();
        let declaration: SecretDeclaration = decode(&body, "a secret", self.diagnostics)?;
        if self.diagnostics.len() > before {
            return None;
        }
        let folder = &self.places.plan_folder;
        let SecretDeclaration { env, file, command, .. } = declaration;
        match (env, file, command) {
            (Some(env), None, None) if env.is_empty() || env.contains(['=', '\0']) => {
                self.refuse(&env, "this is not the name of an environment variable", "write its name alone");
                None
            }
            (Some(env), None, None) => Some(SecretSource::Environment(env.value)),
            (None, Some(file), None) => Some(SecretSource::File(self.places.source(&file))),
            (None, None, Some(command)) => match command.value.split_first() {
                Some((program, arguments)) if !program.is_empty() => {
                    let refusal = self.settings.allowed.as_ref().and_then(|it| it.refuses_program(program));
                    if let Some(refusal) = refusal {
                        let message = refusal.message(&entry.key.text);
                        self.diagnostics.push(Diagnostic::new(message).at(command.span).help(refusal.help()));
                    }
                    let arguments = arguments.to_vec();
                    Some(SecretSource::Command { program: program.clone(), arguments, folder: folder.clone() })
                }
                _ => {
                    self.refuse(&command, "`command` names no program", "write `command: [PROGRAM, ARGUMENT, …]`");
                    None
                }
            },
            _ => {
                let diagnostic = Diagnostic::new("a secret has exactly one of `env`, `file` and `command`");
                self.diagnostics.push(diagnostic.at(entry.key.span));
                None
            }
        }
    }

    fn registries(&mut self, entries: &[Entry], secrets: &BTreeMap<Arc<str>, Option<LateSecret>>) {
        let mut said: Vec<Said> = Vec::new();
        for entry in entries {
            let body = self.evaluate(&entry.value);
            let Some(name) = self.name(&entry.key) else { continue };
            if let Some(earlier) = said.iter().find(|earlier| earlier.name.identity() == name.identity()) {
                let message = format!("`{name}` and `{}` are one registry", earlier.name);
                let message = if earlier.name == name { format!("`{name}` is given twice") } else { message };
                self.diagnostics.push(Diagnostic::new(message).at(entry.key.span).label("say it above"));
                continue;
            }
            let Some(body) = body else { continue };
            let before = self.diagnostics.len();
            let declaration = decode(&body, "a registry", self.diagnostics).unwrap_or_default();
            let is_whole = self.diagnostics.len() == before;
            said.push(Said { key: entry.key.clone(), name, declaration, is_whole });
        }
        let mut aliases = Vec::new();
        for one in &said {
            if let Some(same_as) = &one.declaration.same_as {
                self.check_alias(one, same_as, &said);
                aliases.push((one.name.clone(), same_as.value.clone()));
            } else {
                let settings = self.registry(one, secrets);
                self.settings.registries.insert(one.name.clone(), settings);
            }
        }
        self.settings.aliases = Aliases::new(aliases);
    }

    /// The registry that a key names, which may hold expressions.
    fn name(&mut self, key: &Key) -> Option<RegistryName> {
        let scalar = Scalar { text: Arc::clone(&key.text), style: Style::DoubleQuoted };
        let node = self.evaluate(&Node { span: key.span, kind: NodeKind::Scalar(scalar) })?;
        let mut wrong = Vec::new();
        let text = decode::<String>(&node, "the name of a registry", &mut wrong);
        self.diagnostics.append(&mut wrong);
        let parsed = text?.parse::<RegistryName>();
        parsed.map_err(|error| self.diagnostics.push(Diagnostic::new(error.to_string()).at(key.span))).ok()
    }

    fn check_alias(&mut self, one: &Said, same_as: &Spanned<RegistryPrefix>, said: &[Said]) {
        if one.name.identity() == same_as.registry.identity() {
            let message = format!("`{}` cannot be another name of itself", one.name);
            self.refuse(same_as, message, "leave `same_as` out: loopback names of one port are one registry anyway");
        } else if let Some(Said { declaration: RegistryDeclaration { same_as: Some(next), .. }, .. }) =
            said.iter().find(|other| other.name.identity() == same_as.registry.identity())
        {
            let message = format!("`{}` is another name too", same_as.registry);
            self.refuse(same_as, message, &format!("name the registry itself: `{}`", next.value));
        }
        let alone = RegistryDeclaration { same_as: one.declaration.same_as.clone(), ..RegistryDeclaration::default() };
        if alone != one.declaration {
            let message = format!("`{}` is asked as `{}`: nothing else counts here", one.name, same_as.value);
            let help = format!("say it under `{}`", same_as.registry);
            self.diagnostics.push(Diagnostic::new(message).at(one.key.span).help(help));
        }
    }

    fn registry(&mut self, one: &Said, secrets: &BTreeMap<Arc<str>, Option<LateSecret>>) -> RegistrySettings {
        let said = &one.declaration;
        let tls = self.tls(said);
        let mirrors = said.mirrors.clone().unwrap_or_default();
        for mirror in mirrors.iter().filter(|mirror| mirror.registry.identity() == one.name.identity()) {
            self.refuse(mirror, format!("`{}` cannot be a mirror of itself", one.name), "name another registry");
        }
        if let Some(concurrency) = said.concurrency.as_ref().filter(|concurrency| concurrency.value < 2) {
            let message = format!("`concurrency` takes a whole number from 2 up, not {}", concurrency.value);
            self.refuse(concurrency, message, "a copy within one registry reads and writes at once");
        }
        let mut limits = Limits::default();
        limits.concurrency = said.concurrency.as_ref().map_or(limits.concurrency, |it| usize::from(it.value));
        limits.rate = said.rate.as_ref().map(|rate| rate.value);
        RegistrySettings {
            plain_http: said.plain_http.as_ref().map(|it| it.value),
            tls,
            credential: self.credential(one, secrets),
            mirrors: mirrors.into_iter().map(|mirror| mirror.value).collect(),
            limits: (limits != Limits::default()).then_some(limits),
            referrers: said.referrers.map(Into::into).unwrap_or_default(),
        }
    }

    fn tls(&mut self, said: &RegistryDeclaration) -> Tls {
        let skips = said.insecure_skip_verify.as_ref().filter(|it| it.value);
        if said.plain_http.as_ref().is_some_and(|it| it.value) {
            let files =
                [("ca_file", &said.ca_file), ("client_cert", &said.client_cert), ("client_key", &said.client_key)];
            let given = files.into_iter().filter_map(|(name, file)| Some((name, file.as_ref()?.span)));
            let given = given.chain(skips.map(|skips| ("insecure_skip_verify", skips.span)));
            for (name, span) in given {
                let message = format!("`{name}` means nothing with `plain_http: true`");
                self.diagnostics.push(Diagnostic::new(message).at(span).help("leave one of them out"));
            }
            return Tls::default();
        }
        let mut tls = Tls::default();
        if let Some(file) = &said.ca_file {
            let read = tls.clone().with_roots(&self.places.source(file));
            tls = self.file(read, file, file).unwrap_or(tls);
        }
        match (&said.client_cert, &said.client_key) {
            (Some(certificate), Some(key)) => {
                let read = tls.clone().with_identity(&self.places.source(certificate), &self.places.source(key));
                tls = self.file(read, certificate, key).unwrap_or(tls);
            }
            (Some(one), None) => self.refuse(one, "`client_cert` needs `client_key`", "name the key's file too"),
            (None, Some(one)) => {
                self.refuse(one, "`client_key` needs `client_cert`", "name the certificate's file too");
            }
            (None, None) => {}
        }
        if skips.is_some() { tls.unverified() } else { tls }
    }

    /// What was read, or what is wrong with one of the two files.
    fn file(
        &mut self,
        read: Result<Tls, TlsError>,
        certificate: &Spanned<String>,
        key: &Spanned<String>,
    ) -> Option<Tls> {
        let error = match read {
            Ok(tls) => return Some(tls),
            Err(error) => error,
        };
        let is_key = |path: &Path| path == self.places.source(key);
        let diagnostic = match &error {
            TlsError::File { path, error } => {
                let file = if is_key(path) { key } else { certificate };
                let message = if error.kind() == std::io::ErrorKind::NotFound {
                    format!("file not found: `{}`", file.value)
                } else {
                    format!("`{}` cannot be read: {error}", file.value)
                };
                let folder = self.places.plan_folder.display();
                let diagnostic = Diagnostic::new(message).at(file.span);
                diagnostic.note(format!("paths are relative to the plan's folder, {folder}"))
            }
            TlsError::Certificate { .. } => {
                let diagnostic = Diagnostic::new(format!("`{}` holds no certificate", certificate.value));
                diagnostic.at(certificate.span).help("it takes certificates in PEM: `-----BEGIN CERTIFICATE-----`")
            }
            TlsError::Identity { .. } => {
                let message = format!("`{}` and `{}` are not a certificate and its key", certificate.value, key.value);
                let diagnostic = Diagnostic::new(message).at(certificate.span);
                diagnostic.help("both are in PEM, and the key has no password")
            }
        };
        self.diagnostics.push(diagnostic);
        None
    }

    fn credential(&mut self, one: &Said, secrets: &BTreeMap<Arc<str>, Option<LateSecret>>) -> Option<LateCredential> {
        let secret = |SecretName(name): &SecretName| secrets.get(name).cloned().flatten();
        match (&one.declaration.username, &one.declaration.password) {
            _ if !one.is_whole => None,
            (Some(username), Some(password)) => Some(LateCredential {
                username: match &username.value {
                    TextOrSecret::Text(text) => LateText::Text(text.clone()),
                    TextOrSecret::Secret(name) => LateText::Secret(secret(name)?),
                },
                password: secret(&password.value)?,
            }),
            (Some(username), None) => {
                self.refuse(
                    username,
                    "`username` needs `password`",
                    "declare the password under `secrets`, and name it",
                );
                None
            }
            (None, Some(password)) => {
                self.refuse(password, "`password` needs `username`", "say whose password it is");
                None
            }
            (None, None) => None,
        }
    }
}
