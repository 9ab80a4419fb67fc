use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Action, Envelope, Plugins, Refusal, SigningScheme, StoreKind, TimestampRule, Trust, Verified,
    plugin_check::PluginCheck,
};
use crate::{
    oci::Descriptor,
    sign::{
        Web, revocation,
        timestamp::{Timestamped, Token},
    },
};

/// What a signature must hold up to.
#[derive(Debug, Clone, Copy)]
pub struct Verification<'a> {
    /// The manifest that it must be about.
    pub subject: &'a Descriptor,
    /// What it must say of it, at least.
    pub annotations: &'a BTreeMap<String, String>,
    /// Whom to trust.
    pub trust: &'a Trust,
    /// The time.
    pub now: Timestamp,
    /// Who is asked whether certificates were revoked; without it nobody is.
    pub web: Option<&'a dyn Web>,
    /// Where plugins are that a signature may ask for; without it none is run.
    pub plugins: Option<&'a Plugins>,
}

impl Verification<'_> {
    /// Looks at an envelope, in the order of the specification. What is only to be said comes back as warnings.
    ///
    /// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#signature-verification-details>
    pub async fn of(&self, envelope: &Envelope) -> Result<Verified, Refusal> {
        let level = self.trust.level;
        let mut warnings = Vec::new();
        let plugin = PluginCheck::of(envelope, self.plugins).await?;
        settle(level.authenticity, self.check_signer(envelope, plugin.as_ref()), &mut warnings)?;
        settle(level.expiry, self.check_expiry(envelope), &mut warnings)?;
        let timestamped = if level.authentic_timestamp == Action::Skip { Ok(None) } else { self.check_time(envelope) };
        let timestamped = settle(level.authentic_timestamp, timestamped, &mut warnings)?.flatten();
        if level.revocation != Action::Skip && !plugin.as_ref().is_some_and(PluginCheck::checks_revocation) {
            settle(level.revocation, self.check_revocation(envelope, timestamped.as_ref()).await, &mut warnings)?;
        }
        if let Some(plugin) = plugin {
            for (action, found) in plugin.ask(envelope, self.trust).await? {
                settle(action, found, &mut warnings)?;
            }
        }
        let target = &envelope.payload.target_artifact;
        if !target.is(self.subject) {
            return Err(Refusal::Foreign { about: target.digest.clone() });
        }
        for (name, wanted) in self.annotations {
            let found = target.annotations.get(name);
            if found != Some(wanted) {
                let found =
                    found.map_or_else(|| "it is silent on that".to_owned(), |found| format!("it says `{found}`"));
                return Err(Refusal::Annotation { name: name.clone(), wanted: wanted.clone(), found });
            }
        }
        Ok(Verified::new(envelope, timestamped.map(|timestamped| timestamped.time), warnings))
    }

    fn check_signer(&self, envelope: &Envelope, plugin: Option<&PluginCheck>) -> Result<(), Refusal> {
        let (kind, what) = match envelope.headers.scheme {
            SigningScheme::X509 => (StoreKind::Authority, "authority"),
            SigningScheme::SigningAuthority => (StoreKind::SigningAuthority, "signing authority"),
        };
        let signer = envelope.chain.leaf().subject();
        if !envelope.chain.leads_to(&self.trust.anchors(kind)) {
            let root = envelope.chain.certificates().last().map(|root| root.subject().to_string()).unwrap_or_default();
            return Err(Refusal::Authority { signer: signer.to_string(), root, kind: what });
        }
        if !plugin.is_some_and(PluginCheck::checks_identity) && !self.trust.identities.include(signer) {
            return Err(Refusal::Identity { signer: signer.to_string() });
        }
        Ok(())
    }

    fn check_expiry(&self, envelope: &Envelope) -> Result<(), Refusal> {
        match envelope.headers.expiry {
            Some(expiry) if expiry <= self.now => Err(Refusal::Expired { expiry }),
            _ => Ok(()),
        }
    }

    /// Whether the certificates counted when it was signed. What the signer alone says of that proves nothing.
    fn check_time(&self, envelope: &Envelope) -> Result<Option<Timestamped>, Refusal> {
        let valid_at = |time| envelope.chain.check_validity(time).map_err(Refusal::NotInTime);
        if envelope.headers.scheme == SigningScheme::SigningAuthority {
            return valid_at(envelope.headers.signing_time).map(|()| None);
        }
        let authorities = self.trust.anchors(StoreKind::TimestampAuthority);
        let now = valid_at(self.now).map(|()| None);
        if authorities.is_empty() || (self.trust.timestamp == TimestampRule::AfterExpiry && now.is_ok()) {
            return now;
        }
        let token = envelope.timestamp.as_deref().ok_or(Refusal::NoTimestamp)?;
        let timestamped = Token::read(token)?.verify(&envelope.signature, &authorities)?;
        let within = |time: Option<Timestamp>| valid_at(time.unwrap_or(timestamped.time));
        within(timestamped.time.checked_sub(timestamped.accuracy).ok())?;
        within(timestamped.time.checked_add(timestamped.accuracy).ok())?;
        Ok(Some(timestamped))
    }

    async fn check_revocation(&self, envelope: &Envelope, timestamped: Option<&Timestamped>) -> Result<(), Refusal> {
        let Some(web) = self.web else { return Ok(()) };
        revocation::check(&envelope.chain, web, self.now).await?;
        match timestamped {
            Some(timestamped) => Ok(revocation::check(&timestamped.chain, web, self.now).await?),
            None => Ok(()),
        }
    }
}

/// What a check has found, where it is enforced; otherwise only a word about it.
fn settle<T>(action: Action, found: Result<T, Refusal>, warnings: &mut Vec<String>) -> Result<Option<T>, Refusal> {
    match (action, found) {
        (_, Ok(value)) => Ok(Some(value)),
        (Action::Skip, Err(_)) => Ok(None),
        (Action::Enforce, Err(refusal)) => Err(refusal),
        (Action::Log, Err(refusal)) => {
            warnings.push(refusal.to_string());
            Ok(None)
        }
    }
}
