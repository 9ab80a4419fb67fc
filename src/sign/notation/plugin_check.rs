use base64::{Engine, engine::general_purpose::STANDARD};
use semver::Version;
use serde_json::{Map, Value, json};

use super::{
    Action, Capability, Envelope, Metadata, Payload, Plugin, PluginError, PluginVerdict, Plugins, Refusal, Trust,
};

/// A plugin that a signature asks for, which has a say in whether it counts.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/plugin-extensibility.md#verification-extensibility>
#[derive(Debug)]
pub(super) struct PluginCheck {
    plugin: Plugin,
    metadata: Metadata,
}

impl PluginCheck {
    /// The plugin that the envelope names. That it is there and can be asked is a condition of the signer.
    pub(super) async fn of(envelope: &Envelope, plugins: Option<&Plugins>) -> Result<Option<Self>, Refusal> {
        let Some((name, wanted)) = &envelope.headers.plugin else { return Ok(None) };
        let plugins = plugins.ok_or_else(|| Refusal::NoPlugins { name: name.clone() })?;
        let plugin = plugins.find(name)?;
        let metadata = plugin.metadata(&Map::new()).await?;
        if let Some(wanted) = wanted {
            let parse = |text: &str| Version::parse(text.trim_start_matches('v')).ok();
            let is_new =
                matches!((parse(&metadata.version), parse(wanted)), (Some(has), Some(wanted)) if has >= wanted);
            if !is_new {
                let (version, wanted) = (metadata.version.clone(), wanted.clone());
                return Err(PluginError::Version { name: name.clone(), version, wanted }.into());
            }
        }
        let check = Self { plugin, metadata };
        if !check.checks_identity() && !check.checks_revocation() {
            return Err(PluginError::Incapable { name: name.clone(), what: "verify signatures" }.into());
        }
        Ok(Some(check))
    }

    pub(super) fn checks_identity(&self) -> bool {
        self.metadata.can(Capability::TrustedIdentity)
    }

    pub(super) fn checks_revocation(&self) -> bool {
        self.metadata.can(Capability::Revocation)
    }

    /// What the plugin thinks, each with what is to be done where it does not agree.
    pub(super) async fn ask(
        &self,
        envelope: &Envelope,
        trust: &Trust,
    ) -> Result<Vec<(Action, Result<(), Refusal>)>, Refusal> {
        let asked = [
            (Capability::TrustedIdentity, self.checks_identity(), trust.level.authenticity),
            (Capability::Revocation, self.checks_revocation(), trust.level.revocation),
        ];
        let asked: Vec<_> = asked
            .into_iter()
            .filter(|(_, can, action)| *can && *action != Action::Skip)
            .map(|(capability, _, action)| (capability, action))
            .collect();
        let names: Vec<_> = asked.iter().map(|(capability, _)| capability.name()).collect();
        let verdict: PluginVerdict = self.plugin.ask_with("verify-signature", request(envelope, trust, &names)).await?;
        let says = |reason: String| Refusal::PluginSays { name: self.plugin.name().to_owned(), reason };
        let is_processed = |name: &&String| verdict.processed_attributes.iter().any(|known| known == name.as_str());
        if let Some(name) = envelope.headers.extended.keys().find(|name| !is_processed(name)) {
            return Err(says(format!("it does not understand the critical attribute `{name}`")));
        }
        let answer = |(capability, action): (Capability, Action)| {
            let result = match verdict.verification_results.get(capability.name()) {
                Some(result) if result.success => Ok(()),
                Some(result) => Err(says(result.reason.chars().filter(|letter| !letter.is_control()).collect())),
                None => Err(says(format!("it says nothing about {}", capability.name()))),
            };
            (action, result)
        };
        Ok(asked.into_iter().map(answer).collect())
    }
}

fn request(envelope: &Envelope, trust: &Trust, asked: &[&str]) -> Map<String, Value> {
    let headers = &envelope.headers;
    let mut critical = json!({
        "contentType": Payload::MEDIA_TYPE,
        "signingScheme": headers.scheme.name(),
        "extendedAttributes": headers.extended,
    });
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            critical[name] = Value::String(value);
        }
    };
    add("expiry", headers.expiry.map(|expiry| expiry.to_string()));
    if headers.scheme == super::SigningScheme::SigningAuthority {
        add("authenticSigningTime", Some(headers.signing_time.to_string()));
    }
    if let Some((plugin, version)) = &headers.plugin {
        add("verificationPlugin", Some(plugin.clone()));
        add("verificationPluginMinVersion", version.clone());
    }
    let chain = envelope.chain.certificates().iter().map(|certificate| STANDARD.encode(certificate.der()));
    let unprocessed: Vec<_> = headers.extended.keys().collect();
    let request = json!({
        "signature": {
            "criticalAttributes": critical,
            "unprocessedAttributes": unprocessed,
            "certificateChain": chain.collect::<Vec<_>>(),
        },
        "trustPolicy": { "trustedIdentities": trust.identities.texts(), "signatureVerification": asked },
        "pluginConfig": {},
    });
    match request {
        Value::Object(request) => request,
        _ => Map::new(),
    }
}
