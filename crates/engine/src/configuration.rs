//! stub
pub mod attribute;
