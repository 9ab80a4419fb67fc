use std::io::{self, Write};

use indicatif::ProgressBar;

/// Writes to a screen that also shows bars: they are moved away for each write, so that nothing is torn.
///
/// Each write has to end with a newline.
pub struct Beside<W> {
    bars: ProgressBar,
    writer: W,
}

impl<W: Write> Beside<W> {
    pub(super) const fn new(bars: ProgressBar, writer: W) -> Self {
        Self { bars, writer }
    }
}

impl<W: Write> Write for Beside<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bars.suspend(|| {
            self.writer.write_all(bytes)?;
            self.writer.flush()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
