//! Forms of pages, with and without files.
//!
//! The guard has compared the token of the form with the session's before these run: a handler
//! cannot forget it, and needs not look at it.

use axum::body::Bytes;
use axum::extract::{Form, FromRequest, Multipart, Request};
use serde::de::DeserializeOwned;

use super::Problem;

/// A form. Repeated fields are read as `CsrfForm<Vec<(String, String)>>`.
#[derive(Clone, Debug)]
pub struct CsrfForm<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for CsrfForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Form::from_request(request, state).await {
            Ok(Form(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::malformed(rejection.body_text())),
        }
    }
}

/// One file of a form.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// Name of the field.
    pub field: String,
    /// Name of the file, as the client gave it; never a path to be used.
    pub file_name: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// A form with files.
#[derive(Clone, Debug, Default)]
pub struct CsrfMultipart {
    /// Fields without files, in order.
    pub fields: Vec<(String, String)>,
    /// Files; fields that were left empty are not among them.
    pub files: Vec<FilePart>,
}

impl CsrfMultipart {
    /// The first value of a field that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, value)| field == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a field that are not empty.
    pub fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(field, _)| field == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl<S: Send + Sync> FromRequest<S> for CsrfMultipart {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let unreadable = |text: String| Problem::malformed(text);
        let mut parts = Multipart::from_request(request, state)
            .await
            .map_err(|error| unreadable(error.body_text()))?;
        let mut form = Self::default();
        while let Some(field) =
            parts.next_field().await.map_err(|error| unreadable(error.body_text()))?
        {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|error| unreadable(error.body_text()))?;
            match file_name {
                Some(_) if bytes.is_empty() => {}
                Some(file_name) => form.files.push(FilePart { field: name, file_name, bytes }),
                None => {
                    let text = String::from_utf8(bytes.to_vec())
                        .map_err(|_| unreadable(format!("the field {name} is not UTF-8")))?;
                    form.fields.push((name, text));
                }
            }
        }
        Ok(form)
    }
}
