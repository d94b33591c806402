//! The REST API.
pub(crate) mod document;
use crate::edge::Routes;
/// Adds all.
pub fn add(_routes: &mut Routes) {}
