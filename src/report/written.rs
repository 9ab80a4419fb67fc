use std::collections::BTreeMap;

use crate::{event::Event, text};

/// What the programs of running steps wrote, for who shows it only where a step fails: the last of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    by_step: BTreeMap<usize, Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Whole lines.
    text: String,
    /// How much more there was before, in bytes.
    left_out: usize,
}

/// How much is kept of one step, in bytes.
const KEPT: usize = 64 * 1024;

impl Written {
    pub(super) fn hear(&mut self, event: &Event) {
        if let Event::ProgramWrote { step, text, .. } = event {
            self.by_step.entry(step.index()).or_default().push(text);
        }
    }

    /// What the program of that step wrote, whole lines; nothing is kept of it any longer.
    pub(super) fn take(&mut self, step: usize) -> String {
        let Some(Held { text, left_out }) = self.by_step.remove(&step) else { return String::new() };
        match u64::try_from(left_out).unwrap_or(u64::MAX) {
            0 => text,
            more => format!("… {} before that are not shown\n{text}", text::bytes(more)),
        }
    }
}

impl Held {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        let over = self.text.len().saturating_sub(KEPT);
        if over == 0 {
            return;
        }
        let over = self.text.ceil_char_boundary(over);
        let cut = self.text[over..].find('\n').map_or(self.text.len(), |end| over + end + 1);
        self.left_out += cut;
        self.text.drain(..cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::ProgramStream, report::testing};

    #[test]
    fn the_last_lines_are_kept_and_the_others_counted() {
        let mut written = Written::default();
        let mut write = |step: usize, text: &str| {
            let (step, text) = (testing::step(step), text.into());
            written.hear(&Event::ProgramWrote { step, stream: ProgramStream::Stdout, text });
        };
        write(0, "one\n");
        write(1, &"é".repeat(KEPT / 2 - 1));
        write(1, "\nlast\n");
        write(0, "two\n");
        assert_eq!(written.take(0), "one\ntwo\n");
        assert_eq!(written.take(0), "");
        assert_eq!(written.take(1), "… 63.9 KiB before that are not shown\nlast\n");
    }
}
