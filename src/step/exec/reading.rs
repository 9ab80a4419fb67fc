use std::{future::Future, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
    sync::Notify,
};

use super::{capture::LIMIT, lines::Lines, log::Log};
use crate::{
    event::ProgramStream,
    secret::{Redaction, Secrets},
};

/// What was captured of stdout.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) bytes: Vec<u8>,
    /// Whether there was more than is captured.
    pub(super) is_too_much: bool,
}

/// Takes in what `child` writes, to the end of both streams, or of stdout more than is captured.
pub(super) fn read(
    child: &mut Child,
    enough: Arc<Notify>,
    log: Arc<Log>,
    secrets: Secrets,
    captures: bool,
) -> impl Future<Output = Captured> + Send + use<> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    async move {
        let out = Pipe { stream: ProgramStream::Stdout, log: &log, secrets: &secrets, captures, enough: &enough };
        let err = Pipe { stream: ProgramStream::Stderr, captures: false, ..out };
        tokio::join!(out.drain(stdout), err.drain(stderr)).0
    }
}

/// One of the streams.
#[derive(Clone, Copy)]
struct Pipe<'a> {
    stream: ProgramStream,
    log: &'a Log,
    secrets: &'a Secrets,
    captures: bool,
    enough: &'a Notify,
}

impl Pipe<'_> {
    async fn drain(self, pipe: Option<impl AsyncRead + Unpin>) -> Captured {
        let mut captured = Captured::default();
        let Some(mut pipe) = pipe else { return captured };
        let mut lines = Lines::default();
        let mut buffer = vec![0; 16 * 1024];
        let redaction = || Redaction::of(&self.secrets.found());
        // What cannot be read any more has ended.
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            let bytes = buffer.get(..length).unwrap_or_default();
            self.pass(lines.push(bytes, redaction));
            if self.captures {
                captured.bytes.extend_from_slice(bytes);
                if captured.bytes.len() > LIMIT {
                    captured.is_too_much = true;
                    self.enough.notify_one();
                    break;
                }
            }
        }
        self.pass(lines.finish(redaction));
        captured
    }

    fn pass(self, lines: String) {
        if lines.is_empty() {
        } else if self.captures {
            self.log.hold(self.stream, lines);
        } else {
            self.log.show(self.stream, lines);
        }
    }
}
