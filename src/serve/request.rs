//! What a request says beside its path.

use hyper::{
    HeaderMap, Method,
    header::{HeaderName, HeaderValue},
};

use super::failure::Failure;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    query: Vec<(String, String)>,
}

impl Head {
    pub(super) fn new(method: Method, headers: HeaderMap, query: &str) -> Self {
        Self { method, headers, query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect() }
    }

    /// The text of a header, where it is there and text.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::to_str)?.ok()
    }

    /// The first value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters(name).next()
    }

    /// Every value of a query parameter.
    pub(super) fn parameters(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The parameter `n`, how many a page should have.
    pub(super) fn count(&self) -> Result<Option<usize>, Failure> {
        let count = self.parameter("n").map(str::parse::<usize>).transpose();
        count.map_err(|_| Failure::BadRequest { message: "`n` is a number of entries, 0 or more" })
    }
}
