//! The real program, run as a process.

mod process;
mod walkthrough;
