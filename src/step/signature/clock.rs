use super::{TimestampService, files};
use crate::{
    sign::{
        Web,
        certificate::Certificate,
        key::Hash,
        timestamp::{Request, Token, token_of},
    },
    step::{StepContext, StepError},
};

/// A service for timestamps, and who vouches for it.
#[derive(Debug, Clone)]
pub(in crate::step) struct Clock {
    url: String,
    pub(in crate::step) authorities: Vec<Certificate>,
}

/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;

impl Clock {
    /// The service that a step names, if it names one.
    pub(in crate::step) async fn read(
        cx: &StepContext,
        service: Option<&TimestampService>,
    ) -> Result<Option<Self>, StepError> {
        let Some(service) = service else { return Ok(None) };
        let authorities = files::certificates(cx, &service.certificates).await?;
        Ok(Some(Self { url: service.url.value.clone(), authorities }))
    }

    /// What the service says of `signature`, DER, whole. It is checked at once: a signature whose timestamp nobody trusts
    /// would be refused later, when nobody can make another one.
    pub(in crate::step) async fn ask(&self, web: &dyn Web, hash: Hash, signature: &[u8]) -> Result<Vec<u8>, StepError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        let request = Request::new(hash, signature, nonce)?;
        let answer = web.post(&self.url, Request::MEDIA_TYPE, request.to_der()?, LARGEST).await?;
        Token::read(&token_of(&answer, Some(&request))?)?.verify(signature, &self.authorities)?;
        Ok(answer)
    }
}
