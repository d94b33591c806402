//! What the interpreter sees of an object: the values of a field, and its text.

use std::borrow::Cow;

/// One value of a field. Text is borrowed where it can be: evaluating a filter need not allocate.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// The value of a text, keyword or id field; keywords and ids in their canonical lower case.
    Text(Cow<'a, str>),
    /// The value of an integer field.
    Integer(i64),
    /// The value of a decimal field; not-a-number counts as no match.
    Decimal(f64),
    /// The value of a boolean field.
    Boolean(bool),
    /// The value of a timestamp field: microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
}

/// All values of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Values<'a> {
    /// The field has no value.
    #[default]
    None,
    /// The usual case.
    One(Value<'a>),
    /// A list; an empty one is the same as `None`.
    Many(Vec<Value<'a>>),
}

/// An object a filter can be evaluated on.
pub trait Object {
    /// The values of the field with this canonical name; none for a field it does not know.
    fn values(&self, field: &str) -> Values<'_>;

    /// The texts that a word search looks through.
    fn texts(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}

impl<'a> Values<'a> {
    /// The values as a slice.
    pub fn as_slice(&self) -> &[Value<'a>] {
        match self {
            Values::None => &[],
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        }
    }

    /// A list of texts.
    pub fn texts<I: IntoIterator<Item = S>, S: Into<Cow<'a, str>>>(texts: I) -> Self {
        Values::Many(texts.into_iter().map(|text| Value::Text(text.into())).collect())
    }

    /// A point in time in microseconds since 1970-01-01T00:00:00Z.
    pub fn time(micros: i64) -> Self {
        Values::One(Value::Time(micros))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Decimal(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Boolean(flag)
    }
}

impl<'a, T: Into<Value<'a>>> From<T> for Values<'a> {
    fn from(value: T) -> Self {
        Values::One(value.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Values<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Values::None, |value| Values::One(value.into()))
    }
}

impl<'a, T: Into<Value<'a>>> FromIterator<T> for Values<'a> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Values::Many(values.into_iter().map(Into::into).collect())
    }
}
