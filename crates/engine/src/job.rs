//! stub
pub(crate) mod runner;
pub(crate) enum Kind {
    CertificateUpload,
    CertificateImport,
}
pub(crate) struct JobError {
    pub(crate) retry: bool,
    pub(crate) message: String,
}
impl JobError {
    pub(crate) fn of(error: crate::Error) -> Self {
        Self { retry: error.is_transient(), message: error.to_string() }
    }
}
pub(crate) struct Progress;
impl Progress {
    pub(crate) fn none() -> Self {
        Self
    }
    pub(crate) async fn report(&self, _d: u64, _t: u64) -> Result<(), crate::Error> {
        Ok(())
    }
}
pub(crate) fn new(
    _e: &crate::Engine,
    _c: &crate::Context,
    _k: Kind,
    _p: &crate::inventory::PlacementRequest,
    _b: Vec<u8>,
) -> Result<chancery_store::table::job::NewJob, crate::Error> {
    Err(crate::Error::Unauthenticated)
}
