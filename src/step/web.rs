use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use tokio::sync::OnceCell;
use url::Url;

use crate::sign::{Web, WebError};

/// The web over HTTP. What was fetched once is not fetched again in a run: a list of revoked certificates is asked for with
/// every signature.
pub struct HttpWeb {
    client: OnceCell<Client>,
    fetched: Mutex<HashMap<String, Arc<OnceCell<Bytes>>>>,
}

/// Services answer within seconds.
const LIMIT: Duration = Duration::from_secs(30);

impl HttpWeb {
    /// Nothing is asked yet.
    pub fn new() -> Self {
        Self { client: OnceCell::new(), fetched: Mutex::default() }
    }

    async fn client(&self) -> Result<&Client, String> {
        let build = || async {
            let client = Client::builder().timeout(LIMIT).user_agent(concat!("consign/", env!("CARGO_PKG_VERSION")));
            client.build().map_err(|error| error.to_string())
        };
        self.client.get_or_try_init(build).await
    }

    async fn answer(&self, request: RequestBuilder, limit: usize) -> Result<Bytes, String> {
        let fail = |error: reqwest::Error| innermost(&error.without_url());
        let answer = request.send().await.map_err(fail)?;
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        let mut body = Vec::new();
        let mut stream = answer.bytes_stream();
        while let Some(bytes) = stream.try_next().await.map_err(fail)? {
            if body.len() + bytes.len() > limit {
                return Err(format!("it answers with more than {limit} bytes"));
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body.into())
    }
}

impl Default for HttpWeb {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpWeb")
    }
}

/// The cause at the end: `connection refused` says more than `error sending request`.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Who is asked, without a login and without what stands behind `?`.
fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            // Neither fails where the other parts could be read.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => "what is no URL".to_owned(),
    }
}

#[async_trait]
impl Web for HttpWeb {
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, WebError> {
        let fail = |message: String| WebError { url: shown(url), message };
        let client = self.client().await.map_err(fail)?;
        let cell = {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetched.entry(url.to_owned()).or_default())
        };
        let fetched = cell.get_or_try_init(|| self.answer(client.get(url), limit)).await.map_err(fail)?;
        Ok(fetched.to_vec())
    }

    async fn post(&self, url: &str, media_type: &str, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, WebError> {
        let fail = |message: String| WebError { url: shown(url), message };
        let client = self.client().await.map_err(fail)?;
        let request = client.post(url).header(CONTENT_TYPE, media_type).body(body);
        Ok(self.answer(request, limit).await.map_err(fail)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_only_its_owner_should_know() {
        assert_eq!(shown("https://me:hunter2@tsa.example.com/x?token=hunter2"), "https://tsa.example.com/x");
        assert_eq!(shown("hunter2"), "what is no URL");
    }

    #[tokio::test]
    async fn nobody_there_is_an_error_that_says_so() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/list.crl", listener.local_addr().unwrap());
        drop(listener);
        let error = HttpWeb::new().get(&url, 10).await.unwrap_err();
        assert_eq!(error.url, url);
        assert!(error.to_string().contains("gave no answer: "), "{error}");
    }
}
