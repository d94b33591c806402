//! Counts: facets and histograms.

use std::collections::BTreeMap;

use chancery_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edge::Problem;

/// A condition alone.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilterParams {
    /// Condition in the language of the search box.
    #[param(example = "outcome:failure")]
    pub(super) filter: Option<String>,
}

/// Refuses a span of time that ends before it begins.
pub(super) fn check_span(from: Timestamp, to: Timestamp) -> Result<(), Problem> {
    if from < to { Ok(()) } else { Err(Problem::invalid("from", "it must lie before `to`")) }
}

/// Refuses a number outside of what is permitted.
pub(super) fn check_within<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, Problem> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Problem::invalid(field, format!("between {} and {}", range.start(), range.end())))
}

/// Counts by field and value.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Facets {
    /// One for each field that facets are made of.
    pub(super) groups: Vec<FacetGroup>,
    /// The counts are of the newest part of what fits, because all of it is too much.
    pub(super) sampled: bool,
}

/// Counts of the values of one field.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FacetGroup {
    /// The field, as filters name it.
    #[schema(example = "severity")]
    field: String,
    /// Its values, the most frequent first.
    values: Vec<FacetValue>,
    /// The values of this field are counted over the newest part of what fits, whatever the others
    /// are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sampled: bool,
}

/// How often a value occurs.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct FacetValue {
    /// The value.
    value: String,
    /// How often.
    count: u64,
}

impl FacetGroup {
    pub(super) fn new(field: impl Into<String>, values: Vec<(String, u64)>) -> Self {
        let values = values.into_iter().map(|(value, count)| FacetValue { value, count }).collect();
        Self { field: field.into(), values, sampled: false }
    }

    /// The same, counted over the newest part if `sampled`.
    pub(super) fn sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }
}

/// Counts by span of time.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Bars {
    /// Spans, in order of time.
    bars: Vec<Bar>,
    /// The bars are of the newest part of what fits, because all of it is too much.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sampled: bool,
}

/// How many fall into a span of time.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Bar {
    /// From this time on.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Until before this time.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// How many.
    count: u64,
    /// Of them, by severity; events only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    by_severity: BTreeMap<&'static str, u64>,
}

impl Bars {
    pub(super) fn new(bars: impl IntoIterator<Item = (Timestamp, Timestamp, u64)>) -> Self {
        let bars = bars
            .into_iter()
            .map(|(from, to, count)| Bar { from, to, count, by_severity: BTreeMap::new() })
            .collect();
        Self { bars, sampled: false }
    }

    /// Of the newest part if `sampled`.
    pub(super) fn by_severity(
        bars: impl IntoIterator<Item = (Timestamp, Timestamp, BTreeMap<&'static str, u64>)>,
        sampled: bool,
    ) -> Self {
        let bars = bars
            .into_iter()
            .map(|(from, to, by_severity)| Bar {
                from,
                to,
                count: by_severity.values().sum(),
                by_severity,
            })
            .collect();
        Self { bars, sampled }
    }
}
