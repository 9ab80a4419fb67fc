//! Timestamps of RFC 3161: asking for one, and looking at one.
//!
//! Nothing here asks anybody: a [`Request`] is bytes for a service, and what comes back is read.
//!
//! <https://www.rfc-editor.org/rfc/rfc3161>

mod asn1;
mod error;
mod info;
mod request;
mod response;
mod token;

pub use self::{
    error::TimestampError,
    request::Request,
    response::token as token_of,
    token::{Timestamped, Token},
};

#[cfg(test)]
mod tests;
