use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Finding, IdentityFields, PredicateName, Requirement, SignatureFormat, Trusted, files::is_pem, notation};
use crate::{
    oci::{Descriptor, Digest, Reference, Repository},
    plan::{Diagnostic, Span, yaml::Spanned},
    sign::notation::Identities,
    step::{Effects, Places, StepContext, StepError},
    store::Store,
    text::count,
};

/// The fields of `verify`, which `copy` has as well, in a mapping of its own.
macro_rules! demand {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        /// What must be signed, and by whom.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Demand {
            $($(#[$meta])* pub $field: $type,)*
        }

        /// As `Demand`, of a manifest.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct VerifyFields {
            /// The manifest that must be signed, by tag or digest.
            #[schemars(with = "String")]
            pub subject: Spanned<Reference>,
            $($(#[$meta])* pub $field: $type,)*
        }

        impl VerifyFields {
            /// What is asked, and of what.
            pub(in crate::step) fn split(self) -> (Spanned<Reference>, Demand) {
                let Self { subject, $($field,)* } = self;
                (subject, Demand { $($field,)* })
            }
        }
    };
}

demand! {
    /// Whose signatures count: `notation` for those of Notary Project, `cosign` for those of Sigstore.
    #[schemars(with = "SignatureFormat")]
    format: Spanned<SignatureFormat>,
    /// Certificates of authorities that are trusted: files, PEM or DER, or PEM itself; or of signers, where they are
    /// self-signed.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    certificates: Vec<Spanned<String>>,
    /// The same of authorities that sign for others and vouch for the time, as `scheme: signing_authority` has it.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    signing_authorities: Vec<Spanned<String>>,
    /// Which signers of these authorities count, each as `x509.subject: C=…, ST=…, O=…`; all of them by default.
    #[serde(default)]
    identities: Vec<String>,
    /// Certificates of authorities for the time, files or PEM; a signature then needs a timestamp.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    timestamp_certificates: Vec<Spanned<String>>,
    /// A trust policy of Notary Project: a file, or `notation` for that of notation itself. Instead of `certificates`.
    #[schemars(with = "Option<String>")]
    trust_policy: Option<Spanned<String>>,
    /// The folder of the trust stores of that policy: by default `truststore` beside it.
    #[schemars(with = "Option<String>")]
    trust_store: Option<Spanned<String>>,
    /// The public key whose signatures count, a file with PEM or PEM itself; with `format: cosign`.
    #[schemars(with = "Option<String>")]
    key: Option<Spanned<String>>,
    /// Several of them: a signature of any one will do.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    keys: Vec<Spanned<String>>,
    /// Who signs without a key; with `format: cosign`.
    identity: Option<IdentityFields>,
    /// What a signature must say, at least.
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// What else must be signed in the same way, beside the subject itself.
    #[serde(default)]
    require: Vec<Requirement>,
}

/// How many refusals are listed.
const SHOWN: usize = 20;

impl Demand {
    /// What is wrong with the fields together.
    pub(in crate::step) fn check(&self) -> Vec<Diagnostic> {
        let nobody =
            |help: &str| Diagnostic::new("`verify` does not say who is trusted").at(self.format.span).help(help);
        let foreign = |field: &str, span: Span, format: &str| {
            let message = format!("`{field}` means nothing with `format: {format}`");
            Diagnostic::new(message).at(span).help("leave one of them out")
        };
        let mut wrong = Vec::new();
        match self.format.value {
            SignatureFormat::Notation => {
                wrong.extend(self.check_trust());
                wrong.extend(self.key.iter().map(|key| foreign("key", key.span, "notation")));
                wrong.extend(self.keys.first().map(|key| foreign("keys", key.span, "notation")));
                let identity = self.identity.as_ref().map(|identity| identity.trusted_root.span);
                wrong.extend(identity.map(|span| foreign("identity", span, "notation")));
                let attested = self.require.iter().filter_map(|requirement| requirement.predicate_type.as_ref());
                wrong.extend(attested.map(|one| foreign("predicate_type", one.span, "notation")));
            }
            SignatureFormat::Cosign => {
                if self.all_keys().next().is_none() && self.identity.is_none() {
                    wrong.push(nobody("write `key: FILE`, the public key of the signer, or `identity`"));
                }
                if let Some(identity) = self.identity.as_ref().filter(|_| self.all_keys().next().is_some()) {
                    let diagnostic = Diagnostic::new("`verify` trusts keys or an identity, not both");
                    wrong.push(diagnostic.at(identity.trusted_root.span).help("make them two steps"));
                }
                wrong.extend(self.certificates.first().map(|one| foreign("certificates", one.span, "cosign")));
                wrong.extend(self.trust_policy.iter().map(|one| foreign("trust_policy", one.span, "cosign")));
                wrong.extend(self.trust_store.iter().map(|one| foreign("trust_store", one.span, "cosign")));
                wrong.extend(
                    self.signing_authorities.first().map(|one| foreign("signing_authorities", one.span, "cosign")),
                );
                if let Some(one) = self.timestamp_certificates.first().filter(|_| self.identity.is_some()) {
                    let diagnostic = Diagnostic::new("a trusted root says itself which timestamp services count");
                    wrong.push(diagnostic.at(one.span).help("leave `timestamp_certificates` out"));
                }
                let people = self.identities.first().map(|_| foreign("identities", self.format.span, "cosign"));
                wrong.extend(people);
            }
        }
        let unclear = self.require.iter().filter(|one| one.artifact_type.is_some() == one.predicate_type.is_some());
        wrong.extend(unclear.map(|_| {
            let message = "an entry of `require` has one of `artifact_type` and `predicate_type`";
            Diagnostic::new(message).at(self.format.span)
        }));
        wrong
    }

    /// What is wrong with what says whose certificates count.
    fn check_trust(&self) -> Vec<Diagnostic> {
        let by_certificates = !self.certificates.is_empty() || !self.signing_authorities.is_empty();
        let details = !self.identities.is_empty() || !self.timestamp_certificates.is_empty();
        let here = |message: &str| Diagnostic::new(message).at(self.format.span);
        let mut wrong = Vec::new();
        match (&self.trust_policy, by_certificates) {
            (None, false) => wrong
                .push(here("`verify` does not say who is trusted").help(
                    "write `certificates: [FILE]`, the certificates of the authorities, or `trust_policy: FILE`",
                )),
            (Some(_), _) if by_certificates || details => {
                let diagnostic = here("a trust policy says itself who is trusted");
                wrong.push(diagnostic.help(
                    "leave out `certificates`, `signing_authorities`, `identities` and `timestamp_certificates`",
                ));
            }
            (None, true) if self.trust_store.is_some() => {
                wrong.push(here("`trust_store` belongs to `trust_policy`").help("leave it out"));
            }
            _ => {}
        }
        if !self.identities.is_empty()
            && let Err(error) = Identities::parse(&self.identities)
        {
            wrong.push(here(&error.to_string()));
        }
        wrong
    }

    /// The public keys that count.
    pub(super) fn all_keys(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.key.iter().chain(&self.keys)
    }

    /// The files that it reads.
    pub(in crate::step) fn sources(&self) -> Vec<&Spanned<String>> {
        let policy = self.trust_policy.iter().filter(|policy| policy.value != notation::NOTATION);
        let roots = self.identity.iter().map(|identity| &identity.trusted_root);
        let files = self.certificates.iter().chain(&self.signing_authorities).chain(&self.timestamp_certificates);
        let files = files.chain(self.all_keys()).filter(|one| !is_pem(one));
        files.chain(roots).chain(policy).chain(&self.trust_store).collect()
    }

    /// The same effects, and it reads its files, also those of a trust store that nobody names.
    pub(in crate::step) fn read_files(&self, effects: Effects, places: &Places) -> Effects {
        let files = self.sources().into_iter().map(|path| path.value.clone());
        let policy = self.trust_policy.as_ref().filter(|policy| policy.value != notation::NOTATION);
        let beside = policy.filter(|_| self.trust_store.is_none()).map(|policy| {
            let folder = policy.rsplit_once('/').map(|(folder, _)| format!("{folder}/"));
            format!("{}truststore", folder.unwrap_or_default())
        });
        files.chain(beside).fold(effects, |effects, path| effects.read(places.read_thing(&path)))
    }

    /// Looks at the signatures of `subject` and of what else must be signed, and gives those that count. Says no where one
    /// of them has none. `scope` is the repository for which a policy is looked up.
    pub(in crate::step) async fn ask(
        &self,
        cx: &StepContext,
        store: &dyn Store,
        repository: &Repository,
        scope: &Repository,
        subject: &Descriptor,
    ) -> Result<Vec<(Descriptor, Finding)>, StepError> {
        let answer = self.look(cx, store, repository, scope, subject).await;
        answer.map_err(|error| error.at_gate(&Reference::by_digest(repository.clone(), subject.digest.clone())))
    }

    async fn look(
        &self,
        cx: &StepContext,
        store: &dyn Store,
        repository: &Repository,
        scope: &Repository,
        subject: &Descriptor,
    ) -> Result<Vec<(Descriptor, Finding)>, StepError> {
        let trusted = Trusted::read(cx, self, scope).await?;
        if matches!(trusted, Trusted::Anybody) {
            return Ok(Vec::new());
        }
        let look = async |about: &Descriptor| trusted.signatures(cx, store, about, &self.annotations).await;
        let name = |digest: &Digest| Reference::by_digest(repository.clone(), digest.clone()).to_string();
        let (mut counted, refused) = sort(subject, look(subject).await?);
        if counted.is_empty() {
            return Err(refusal(&name(&subject.digest), &refused));
        }
        if self.require.is_empty() {
            return Ok(counted);
        }
        let listed = store.referrers(&subject.digest).await;
        let listed = listed.map_err(StepError::store("discover", &name(&subject.digest)))?;
        for PredicateName(wanted) in self.require.iter().filter_map(|one| Some(&one.predicate_type.as_ref()?.value)) {
            let (mut good, refused) = sort(subject, trusted.attestations(store, subject, wanted).await?);
            if good.is_empty() {
                let message = format!("`{}` has no attestation of type `{wanted}` that counts", name(&subject.digest));
                let found = refused.iter().map(ToString::to_string).collect();
                return Err(StepError::Refused { message, found: shorten(found) });
            }
            counted.append(&mut good);
        }
        for wanted in self.require.iter().filter_map(|one| one.artifact_type.as_ref()) {
            let wanted = wanted.as_str();
            let of_type =
                listed.iter().filter(|one| one.artifact_type.as_deref() == Some(wanted)).map(Descriptor::plain);
            let (mut good, mut found) = (Vec::new(), Vec::new());
            for referrer in of_type {
                let (mut more, refused) = sort(&referrer, look(&referrer).await?);
                if more.is_empty() && refused.is_empty() {
                    found.push(format!("{}: it has no signature", referrer.digest));
                }
                found.extend(refused.iter().map(|finding| format!("{}: {finding}", referrer.digest)));
                good.append(&mut more);
            }
            if good.is_empty() {
                let what = if found.is_empty() { "no referrer" } else { "no signed referrer" };
                let message = format!("`{}` has {what} of type `{wanted}`", name(&subject.digest));
                return Err(StepError::Refused { message, found: shorten(found) });
            }
            counted.append(&mut good);
        }
        Ok(counted)
    }
}

/// What counts, each with what it is about, and what does not.
fn sort(about: &Descriptor, found: Vec<Finding>) -> (Vec<(Descriptor, Finding)>, Vec<Finding>) {
    let (good, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(|finding| finding.result.is_ok());
    (good.into_iter().map(|finding| (about.clone(), finding)).collect(), refused)
}

/// Nothing at all, or nothing that counts, with every reason.
fn refusal(subject: &str, refused: &[Finding]) -> StepError {
    let message = match refused.len() {
        0 => format!("`{subject}` has no signature"),
        some => format!("`{subject}` has {}, and none of them counts", count(some, "signature")),
    };
    StepError::Refused { message, found: shorten(refused.iter().map(ToString::to_string).collect()) }
}

fn shorten(mut found: Vec<String>) -> Vec<String> {
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        found.truncate(SHOWN);
        found.push(format!("and {more} more"));
    }
    found
}
