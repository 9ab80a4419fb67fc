use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Finding, Requirement, SignatureFormat, notation};
use crate::{
    oci::{Descriptor, Digest, Reference, Repository},
    plan::{Diagnostic, yaml::Spanned},
    step::{StepContext, StepError},
    store::Store,
    text::count,
};

/// The fields of `verify`, which `copy` has as well, in a mapping of its own.
macro_rules! demand {
    ($(#[$meta:meta])* $name:ident { $($(#[$more:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$more])* pub $field: $type,)*
            /// Whose signatures count: `notation` for those of Notary Project.
            #[schemars(with = "SignatureFormat")]
            pub format: Spanned<SignatureFormat>,
            /// Files with certificates of authorities that are trusted, PEM or DER; or of signers, where they are self-signed.
            #[serde(default)]
            #[schemars(with = "Vec<String>")]
            pub certificates: Vec<Spanned<String>>,
            /// What a signature must say, at least.
            #[serde(default)]
            pub annotations: BTreeMap<String, String>,
            /// What else must be signed in the same way, beside the subject itself.
            #[serde(default)]
            pub require: Vec<Requirement>,
        }
    };
}

demand! {
    /// What must be signed, and by whom.
    Demand {}
}

demand! {
    /// As `Demand`, of a manifest.
    VerifyFields {
        /// The manifest that must be signed, by tag or digest.
        #[schemars(with = "String")]
        subject: Spanned<Reference>,
    }
}

impl VerifyFields {
    /// What is asked, and of what.
    pub(in crate::step) fn split(self) -> (Spanned<Reference>, Demand) {
        let Self { subject, format, certificates, annotations, require } = self;
        (subject, Demand { format, certificates, annotations, require })
    }
}

/// How many refusals are listed.
const SHOWN: usize = 20;

impl Demand {
    /// What is wrong with the fields together.
    pub(in crate::step) fn check(&self) -> Vec<Diagnostic> {
        let SignatureFormat::Notation = self.format.value;
        let nobody = self.certificates.is_empty().then(|| {
            let diagnostic = Diagnostic::new("`verify` does not say who is trusted").at(self.format.span);
            diagnostic.help("write `certificates: [FILE]`, the certificates of the authorities")
        });
        nobody.into_iter().collect()
    }

    /// The files that it reads.
    pub(in crate::step) fn sources(&self) -> Vec<&Spanned<String>> {
        self.certificates.iter().collect()
    }

    /// Looks at the signatures of `subject` and of what else must be signed, and gives those that count. Says no where one
    /// of them has none.
    pub(in crate::step) async fn ask(
        &self,
        cx: &StepContext,
        store: &dyn Store,
        repository: &Repository,
        subject: &Descriptor,
    ) -> Result<Vec<(Descriptor, Finding)>, StepError> {
        let trust = notation::trust(cx, self).await?;
        let look = async |about: &Descriptor| {
            let look = notation::Look { store, subject: about, trust: &trust, annotations: &self.annotations };
            look.all().await
        };
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
        for requirement in &self.require {
            let wanted = requirement.artifact_type.as_str();
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
