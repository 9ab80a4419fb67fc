use std::ops::Range;

use bytes::Bytes;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::{Scope, outgoing::Outgoing};

/// A request, as often as it takes: every try opens its body anew.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) scope: Scope,
    pub(super) headers: HeaderMap,
    pub(super) body: Body<'a>,
    /// How many bytes of the answer are read at most.
    pub(super) limit: usize,
    /// Whether the answer, where it is good, is read by the caller piece by piece.
    pub(super) is_streamed: bool,
    /// Whether trying again is up to the caller.
    pub(super) is_single: bool,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Empty,
    Bytes(Bytes),
    /// A part of some content.
    Content {
        content: &'a Outgoing<'a>,
        part: Range<u64>,
    },
}

impl<'a> Request<'a> {
    /// What answers that only say yes or no have at most.
    const SHORT: usize = 64 * 1024;

    pub(super) fn new(method: Method, url: Url, scope: Scope) -> Self {
        Self {
            method,
            url,
            scope,
            headers: HeaderMap::new(),
            body: Body::Empty,
            limit: Self::SHORT,
            is_streamed: false,
            is_single: false,
        }
    }

    /// The same with one more header. A value that no header can have is left out.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn body(self, body: Body<'a>) -> Self {
        Self { body, ..self }
    }

    pub(super) fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    pub(super) fn streamed(self) -> Self {
        Self { is_streamed: true, ..self }
    }

    pub(super) fn single(self) -> Self {
        Self { is_single: true, ..self }
    }
}
