//! How values become text that people read: escaped, measured, counted. No I/O, and nothing that says what to write.

mod quantity;
mod safe;
mod time;
mod width;

pub use self::{
    quantity::{bytes, count, duration, seconds},
    safe::{safe_line, safe_lines},
    time::length_of_time,
    width::{pad, pad_left, shorten, width},
};
