//! The pages in a real Chromium over the real program: every main path as a person walks it, and
//! every page under the eyes of a tool that knows the rules of accessibility.
//!
//! Each test has a server, a browser and an administrator of its own, and walks several paths with
//! them: a start costs more than a page.

mod accessibility;
mod certificates;
mod lists;
mod log;
mod people;
mod watching;
mod world;
