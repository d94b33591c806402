//! Reading the forms of pages.
//!
//! The guard has compared the token of the form with the session's before this runs.

use axum::extract::{FromRequest, Request};

use super::typed::Typed;
use crate::edge::{CsrfForm, Problem};

/// The fields of a form without files.
pub(crate) struct Fields(pub(crate) Typed);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let CsrfForm(pairs) =
            CsrfForm::<Vec<(String, String)>>::from_request(request, state).await?;
        Ok(Self(Typed::read(pairs)))
    }
}
