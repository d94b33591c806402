//! Values of custom attributes: from JSON to the store, and back for people and for the API.
//!
//! Forms and tables send texts where JSON has numbers and truth values; both are understood.

use chancery_event::Timestamp;
use chancery_store::table::attribute::Attribute;
use chancery_store::table::certificate::AttributeValue;
use serde_json::{Number, Value};

use crate::Error;

/// Longest value of a string or of one item of a list, in characters.
const STRING_LENGTH_MAX: usize = 255;
/// Longest text, in characters.
const TEXT_LENGTH_MAX: usize = 10_000;
/// Items of a list at most.
const ITEMS_MAX: usize = 100;
/// Whole numbers that every reader of JSON keeps exactly: within ±(2⁵³−1).
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Why a value cannot be accepted: what is expected.
type Refusal = String;

/// Which kind of value an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// One line of at most 255 characters.
    String,
    /// Several lines of at most 10,000 characters in all.
    Text,
    /// A whole number within ±(2⁵³−1).
    Integer,
    /// A number.
    Decimal,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A point in time.
    Datetime,
    /// Several lines of at most 255 characters each, out of a choice where one is given.
    List,
}

impl Kind {
    /// All kinds.
    const ALL: [Self; 8] = [
        Self::String,
        Self::Text,
        Self::Integer,
        Self::Decimal,
        Self::Boolean,
        Self::Date,
        Self::Datetime,
        Self::List,
    ];

    /// The one spelling.
    fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::List => "list",
        }
    }

    /// The kind that `text` spells.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The values of an attribute that `json` spells. `null`, an empty text and an empty list are no
/// value at all.
///
/// # Errors
/// [`Error::Invalid`] for the field `attributes.<name>`, also when a required attribute would have
/// no value.
pub fn parse(definition: &Attribute, json: &Value) -> Result<Vec<AttributeValue>, Error> {
    let refuse = |message: Refusal| Error::invalid(field(definition), message);
    let kind = Kind::parse(&definition.kind)
        .ok_or_else(|| Error::Internal(format!("attribute kind {}", definition.kind)))?;
    let values = match kind {
        Kind::List => list(&definition.choices, json),
        kind => one(kind, json).map(|value| value.into_iter().collect()),
    };
    let values: Vec<AttributeValue> = values.map_err(refuse)?;
    if values.is_empty() && definition.required {
        return Err(refuse("a value is required".to_owned()));
    }
    Ok(values)
}

fn field(definition: &Attribute) -> String {
    format!("attributes.{}", definition.name)
}

fn one(kind: Kind, json: &Value) -> Result<Option<AttributeValue>, Refusal> {
    let text = match json {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => Some(text.trim()),
        _ => None,
    };
    let value = match kind {
        Kind::String | Kind::List => AttributeValue::Text(string(text)?),
        Kind::Text => AttributeValue::Text(lines(text)?),
        Kind::Integer => AttributeValue::Number(integer(json, text)?),
        Kind::Decimal => AttributeValue::Number(decimal(json, text)?),
        Kind::Boolean => AttributeValue::Number(f64::from(u8::from(boolean(json, text)?))),
        Kind::Date => AttributeValue::Time(date(text)?),
        Kind::Datetime => AttributeValue::Time(datetime(text)?),
    };
    Ok(Some(value))
}

fn string(text: Option<&str>) -> Result<String, Refusal> {
    let text = text.ok_or("expected a text")?;
    if text.chars().count() > STRING_LENGTH_MAX {
        return Err(format!("at most {STRING_LENGTH_MAX} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("one line, no control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn lines(text: Option<&str>) -> Result<String, Refusal> {
    let text = text.ok_or("expected a text")?;
    if text.chars().count() > TEXT_LENGTH_MAX {
        return Err(format!("at most {TEXT_LENGTH_MAX} characters"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("no control characters but line breaks and tabs".to_owned());
    }
    Ok(text.to_owned())
}

fn integer(json: &Value, text: Option<&str>) -> Result<f64, Refusal> {
    let number = match text {
        Some(text) => text.parse::<i64>().ok(),
        None => json.as_i64().or_else(|| {
            // 3.0 is a whole number too, whoever wrote it.
            let number =
                json.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= exact(INTEGER_MAX));
            number.and_then(|n| format!("{n:.0}").parse().ok())
        }),
    };
    let number = number
        .filter(|n| (-INTEGER_MAX..=INTEGER_MAX).contains(n))
        .ok_or("expected a whole number within ±9007199254740991")?;
    Ok(exact(number))
}

/// An integer within ±2⁵³ as a floating-point number: exact by the format's definition.
#[expect(clippy::cast_precision_loss, reason = "integers within ±2⁵³ are exact")]
fn exact(integer: i64) -> f64 {
    integer as f64
}

fn decimal(json: &Value, text: Option<&str>) -> Result<f64, Refusal> {
    let number = match text {
        Some(text) => text.parse::<f64>().ok(),
        None => json.as_f64(),
    };
    // -0 and 0 are one number.
    let number = number.filter(|n| n.is_finite()).map(|n| n + 0.0);
    number.ok_or_else(|| "expected a number, such as 12.5".to_owned())
}

fn boolean(json: &Value, text: Option<&str>) -> Result<bool, Refusal> {
    match (json, text) {
        (Value::Bool(value), _) => Ok(*value),
        (_, Some("true")) => Ok(true),
        (_, Some("false")) => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn date(text: Option<&str>) -> Result<Timestamp, Refusal> {
    let shaped = text.filter(|text| {
        text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    });
    shaped
        .and_then(|text| format!("{text}T00:00:00Z").parse().ok())
        .ok_or_else(|| "expected a date, such as 2026-11-21".to_owned())
}

fn datetime(text: Option<&str>) -> Result<Timestamp, Refusal> {
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| "expected a date and time, such as 2026-11-21T09:30:00Z".to_owned())
}

fn list(choices: &[String], json: &Value) -> Result<Vec<AttributeValue>, Refusal> {
    let items = match json {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        // A form sends one text; commas separate.
        Value::String(text) => text.split(',').map(Value::from).collect(),
        _ => return Err("expected a list of texts".to_owned()),
    };
    if items.len() > ITEMS_MAX {
        return Err(format!("at most {ITEMS_MAX} values"));
    }
    let mut values = Vec::with_capacity(items.len());
    for item in &items {
        let Some(value) = one(Kind::List, item)? else { continue };
        let AttributeValue::Text(text) = &value else { continue };
        if !choices.is_empty() && !choices.contains(text) {
            return Err(format!("“{text}” is not one of: {}", choices.join(", ")));
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(values)
}

/// A value as people read it.
pub fn display(kind: &str, value: &AttributeValue) -> String {
    match (Kind::parse(kind), value) {
        (_, AttributeValue::Text(text)) => text.clone(),
        (Some(Kind::Boolean), AttributeValue::Number(number)) => (*number != 0.0).to_string(),
        (Some(Kind::Integer), AttributeValue::Number(number)) => format!("{number:.0}"),
        (_, AttributeValue::Number(number)) => number.to_string(),
        (Some(Kind::Date), AttributeValue::Time(time)) => {
            time.to_string().chars().take_while(|&c| c != 'T').collect()
        }
        (_, AttributeValue::Time(time)) => time.to_string(),
    }
}

/// The values of one attribute as the API spells them; [`parse`] understands it. A list is an
/// array, every other kind its one value or `null`.
pub fn to_json(kind: &str, values: &[AttributeValue]) -> Value {
    let kind_of = Kind::parse(kind);
    let json = |value: &AttributeValue| match (kind_of, value) {
        (Some(Kind::Boolean), AttributeValue::Number(number)) => Value::from(*number != 0.0),
        (Some(Kind::Integer), AttributeValue::Number(number)) => {
            format!("{number:.0}").parse::<i64>().map_or(Value::Null, Value::from)
        }
        (_, AttributeValue::Number(number)) => {
            Number::from_f64(*number).map_or(Value::Null, Value::Number)
        }
        (_, value) => Value::from(display(kind, value)),
    };
    match kind_of {
        Some(Kind::List) => values.iter().map(json).collect(),
        _ => values.first().map_or(Value::Null, json),
    }
}
