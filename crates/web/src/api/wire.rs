//! Small shapes that several parts of the API share.

use axum::extract::{FromRequest, Request};
use chancery_event::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::edge::{Problem, Raw, no_list};

/// Something with a name.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Named {
    /// Its identifier.
    pub(super) id: String,
    /// What people call it.
    pub(super) name: String,
}

impl Named {
    pub(super) fn new(id: impl ToString, name: impl Into<String>) -> Self {
        Self { id: id.to_string(), name: name.into() }
    }
}

/// Bytes as they are, in the description of the API.
pub(super) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Binary {
    fn name() -> std::borrow::Cow<'static, str> {
        "Binary".into()
    }
}

/// A member that is absent (unchanged), null (cleared) or has a value: absent is `None`, null an
/// empty text.
pub(super) fn clearable<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(from).map(|value| Some(value.unwrap_or_default()))
}

/// The same for a point in time: null is an inner `None`.
pub(super) fn clearable_time<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::<Timestamp>::deserialize(from).map(Some)
}

/// JSON that may be left out altogether.
#[derive(Clone, Debug)]
pub(super) struct MaybeJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        no_list(&bytes)?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::malformed(format!("the body: {error}")))
    }
}

/// A note on why something is done.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "note": "replaced by hand during the move" }))]
pub(super) struct Note {
    /// Kept in the event.
    pub(super) note: Option<String>,
}
