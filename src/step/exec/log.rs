use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    event::{ProgramStream, Progress},
    text,
};

/// What a program writes, on its way to the reporters: as it comes, but no more than a limit; and the last of what was not
/// shown, for when it fails.
#[derive(Debug)]
pub(super) struct Log {
    progress: Progress,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How much was shown, in bytes.
    shown: usize,
    /// The last lines that were not shown.
    held: VecDeque<(ProgramStream, String)>,
    /// How many bytes these have.
    held_bytes: usize,
    /// How much was neither shown nor held, in bytes.
    left_out: usize,
}

/// How much of one program is shown as it comes, in bytes.
const SHOWN: usize = 1024 * 1024;
/// How much of the end is shown too where it fails, in bytes.
const HELD: usize = 64 * 1024;

impl Log {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, state: Mutex::default() }
    }

    /// Whole lines, to be shown now.
    pub(super) fn show(&self, stream: ProgramStream, lines: String) {
        let is_shown = {
            let mut state = self.lock();
            let room = state.shown < SHOWN;
            state.shown += if room { lines.len() } else { 0 };
            room
        };
        if is_shown {
            self.progress.program_wrote(stream, lines);
        } else {
            self.hold(stream, lines);
        }
    }

    /// Whole lines, to be shown only where the program fails.
    pub(super) fn hold(&self, stream: ProgramStream, lines: String) {
        let mut state = self.lock();
        state.held_bytes += lines.len();
        state.held.push_back((stream, lines));
        while state.held_bytes > HELD && state.held.len() > 1 {
            let first = state.held.pop_front().map_or(0, |(_, lines)| lines.len());
            state.held_bytes -= first;
            state.left_out += first;
        }
    }

    /// The program has ended well.
    pub(super) fn succeed(&self, is_captured: bool) {
        let state = self.lock();
        let more = state.left_out + state.held_bytes;
        if more > 0 && !is_captured {
            let (shown, more) = (size(state.shown), size(more));
            self.progress.warn(format!("{shown} of its output are shown, {more} more are not"));
        }
    }

    /// The program has failed: what was held is shown.
    pub(super) fn fail(&self) {
        let mut state = self.lock();
        if state.left_out > 0 {
            let left_out = format!("… {} before that are not shown\n", size(state.left_out));
            self.progress.program_wrote(ProgramStream::Stderr, left_out);
        }
        for (stream, lines) in state.held.drain(..) {
            self.progress.program_wrote(stream, lines);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(bytes: usize) -> String {
    text::bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}
