//! What senders speak over connections that the engine's door opened.

pub(crate) mod address;
pub(crate) mod http;
pub(crate) mod limits;
pub(crate) mod line;
pub(crate) mod tls;
