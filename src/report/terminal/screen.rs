use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use indicatif::TermLike;

/// Terminals that know these show what is written between them at once; others take no notice.
///
/// <https://github.com/contour-terminal/vt-extensions/blob/master/synchronized-output.md>
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";

/// A terminal on which everything between two flushes is written at once, so that nothing flickers.
///
/// Clones draw on the same one.
#[derive(Clone)]
pub(super) struct Screen {
    inner: Arc<Mutex<Inner>>,
    size: Arc<dyn Fn() -> (usize, usize) + Send + Sync>,
}

struct Inner {
    pending: String,
    is_held: bool,
    writer: Box<dyn Write + Send>,
}

impl Screen {
    /// Writes to `writer`, which has so many rows and columns at the moment.
    pub(super) fn new(
        writer: impl Write + Send + 'static,
        size: impl Fn() -> (usize, usize) + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner { pending: String::new(), is_held: false, writer: Box::new(writer) };
        Self { inner: Arc::new(Mutex::new(inner)), size: Arc::new(size) }
    }

    pub(super) fn columns(&self) -> usize {
        (self.size)().1
    }

    /// Writes nothing until [`Self::release`].
    pub(super) fn hold(&self) {
        self.lock().is_held = true;
    }

    /// Writes what came since [`Self::hold`].
    pub(super) fn release(&self) -> io::Result<()> {
        self.lock().is_held = false;
        self.show()
    }

    /// Clears `lines` lines, at the last of which the cursor is, when the width of the terminal has changed. They were drawn
    /// as wide as it was, without line ends, and most terminals have broken them anew by now. The cursor stays where the last
    /// line will be drawn.
    pub(super) fn resized(&self, lines: usize, before: usize, columns: usize) {
        let rows = (lines * before).div_ceil(columns.max(1));
        if rows == 0 {
            return;
        }
        let up = "\u{1b}[A\r\u{1b}[K".repeat(rows - 1);
        self.add(&format!("\r\u{1b}[K{up}{}", "\n".repeat(lines - 1)));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, text: &str) {
        self.lock().pending.push_str(text);
    }

    fn show(&self) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.is_held || inner.pending.is_empty() {
            return Ok(());
        }
        let pending = mem::take(&mut inner.pending);
        inner.writer.write_all([BEGIN, &pending, END].concat().as_bytes())?;
        inner.writer.flush()
    }

    fn motion(&self, count: usize, direction: char) {
        if count > 0 {
            self.add(&format!("\u{1b}[{count}{direction}"));
        }
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("size", &(self.size)()).finish_non_exhaustive()
    }
}

/// Lines of text; each write has to end with a newline.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.show()
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        u16::try_from(self.columns()).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from((self.size)().0).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.motion(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.motion(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.motion(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.motion(n, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text);
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.show()
    }
}
