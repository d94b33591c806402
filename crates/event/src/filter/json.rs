//! The JSON spelling, for the API and for forms.
//!
//! `{"all":true}`, `{"and":[…]}`, `{"or":[…]}`, `{"not":{…}}`, `{"words":["timeout","conn*"]}` (or
//! one string), `{"field":"type","op":"starts_with","value":"certificate."}`. `in` takes a list;
//! `exists` and `empty` take no value; `count` also takes `"compare"`, one of the six comparing
//! operators. Values may be strings, numbers or booleans; strings are read as in the text spelling,
//! but a `*` stands for itself.

use serde_json::{Map, Value as Json, json};

use super::{
    Comparison, DEPTH_MAX, Filter, FilterError, Literal, Operand, Operator, Order, Place, Schema,
    Word, error::Fault, literal::plain_text, resolve,
};

/// Names of the operators in JSON.
const OPERATORS: [(&str, Operator); 15] = [
    ("equals", Operator::Equals),
    ("not_equals", Operator::NotEquals),
    ("less", Operator::Less),
    ("less_or_equal", Operator::LessOrEqual),
    ("greater", Operator::Greater),
    ("greater_or_equal", Operator::GreaterOrEqual),
    ("in", Operator::In),
    ("contains", Operator::Contains),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
    ("matches", Operator::Matches),
    ("exists", Operator::Exists),
    ("empty", Operator::Empty),
    ("within_next", Operator::WithinNext),
    ("within_last", Operator::WithinLast),
];

/// Names of the relations of a count.
const ORDERS: [(&str, Order); 6] = [
    ("equals", Order::Equal),
    ("not_equals", Order::NotEqual),
    ("less", Order::Less),
    ("less_or_equal", Order::LessOrEqual),
    ("greater", Order::Greater),
    ("greater_or_equal", Order::GreaterOrEqual),
];

pub(super) fn to_json(filter: &Filter) -> Json {
    match filter {
        Filter::All => json!({ "all": true }),
        Filter::And(parts) => json!({ "and": parts.iter().map(to_json).collect::<Vec<_>>() }),
        Filter::Or(parts) => json!({ "or": parts.iter().map(to_json).collect::<Vec<_>>() }),
        Filter::Not(part) => json!({ "not": to_json(part) }),
        Filter::Words(words) => {
            let words = words.iter().map(|word| match word.prefix {
                true => format!("{}*", word.token),
                false => word.token.clone(),
            });
            json!({ "words": words.collect::<Vec<_>>() })
        }
        Filter::Comparison(comparison) => comparison_to_json(comparison),
    }
}

fn comparison_to_json(comparison: &Comparison) -> Json {
    let mut json = Map::new();
    json.insert("field".to_owned(), comparison.field.clone().into());
    json.insert("op".to_owned(), operator_name(comparison.operator).into());
    if let Operator::Count(order) = comparison.operator {
        let name =
            ORDERS.iter().find(|(_, known)| *known == order).map_or("equals", |(name, _)| name);
        json.insert("compare".to_owned(), name.into());
    }
    match &comparison.operand {
        Operand::None => {}
        Operand::One(literal) => {
            json.insert("value".to_owned(), literal_to_json(literal));
        }
        Operand::Many(literals) => {
            let values: Vec<Json> = literals.iter().map(literal_to_json).collect();
            json.insert("value".to_owned(), values.into());
        }
    }
    Json::Object(json)
}

/// The name of an operator in JSON.
pub(super) fn operator_name(operator: Operator) -> &'static str {
    let known = OPERATORS.iter().find(|(_, known)| *known == operator);
    known.map_or("count", |(name, _)| name)
}

pub(super) fn literal_to_json(literal: &Literal) -> Json {
    match literal {
        Literal::Integer(number) => (*number).into(),
        Literal::Decimal(number) => (*number).into(),
        Literal::Boolean(flag) => (*flag).into(),
        other => plain_text(other).into(),
    }
}

pub(super) fn from_json(json: &Json, schema: &Schema) -> Result<Filter, FilterError> {
    let filter = Reader { schema }.filter(json, "", DEPTH_MAX)?.normal();
    let root = Place::Json(String::new());
    filter.within_limits().map_err(|message| Fault::new(message).at(root))?;
    Ok(filter)
}

struct Reader<'a> {
    schema: &'a Schema,
}

impl Reader<'_> {
    fn filter(&self, json: &Json, pointer: &str, levels: usize) -> Result<Filter, FilterError> {
        let object = json
            .as_object()
            .ok_or_else(|| at(pointer, Fault::new("a condition is a JSON object")))?;
        if object.contains_key("field") {
            return self.comparison(object, pointer);
        }
        let mut members = object.iter();
        let (Some((key, value)), None) = (members.next(), members.next()) else {
            return match object.is_empty() {
                true => Ok(Filter::All),
                false => Err(at(
                    pointer,
                    Fault::new("a condition has one of and, or, not, words, field"),
                )),
            };
        };
        let below = format!("{pointer}/{}", escaped(key));
        let levels = |below: &str| {
            let message = format!("the filter is nested more than {DEPTH_MAX} levels deep");
            levels.checked_sub(1).ok_or_else(|| at(below, Fault::new(message)))
        };
        match key.as_str() {
            "all" if *value == Json::Bool(true) => Ok(Filter::All),
            "all" => Err(at(&below, Fault::new("“all” takes nothing but true"))),
            "and" => Ok(Filter::And(self.list(value, &below, levels(&below)?)?)),
            "or" => Ok(Filter::Or(self.list(value, &below, levels(&below)?)?)),
            "not" => Ok(Filter::Not(Box::new(self.filter(value, &below, levels(&below)?)?))),
            "words" => words(value, &below),
            _ => Err(at(&below, Fault::new(format!("unknown kind of condition “{key}”")))),
        }
    }

    fn list(&self, json: &Json, pointer: &str, levels: usize) -> Result<Vec<Filter>, FilterError> {
        let list = json.as_array().ok_or_else(|| at(pointer, Fault::new("a list is expected")))?;
        if list.is_empty() {
            return Err(at(pointer, Fault::new("the list has no conditions")));
        }
        let parts = list.iter().enumerate();
        parts
            .map(|(place, part)| self.filter(part, &format!("{pointer}/{place}"), levels))
            .collect()
    }

    fn comparison(&self, object: &Map<String, Json>, pointer: &str) -> Result<Filter, FilterError> {
        let known = ["field", "op", "value", "compare"];
        if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
            let below = format!("{pointer}/{}", escaped(key));
            return Err(at(&below, Fault::new(format!("a comparison has no “{key}”"))));
        }
        let place = |key: &str| format!("{pointer}/{key}");
        let text = |key: &str| {
            let missing = || Fault::new(format!("a comparison needs “{key}”, a string"));
            object.get(key).and_then(Json::as_str).ok_or_else(|| at(&place(key), missing()))
        };
        let name = text("field")?;
        let field = self.schema.require(name).map_err(|fault| at(&place("field"), fault))?;
        let operator_name = text("op")?;
        let operator = operator(operator_name).map_err(|fault| at(&place("op"), fault))?;
        if !matches!(operator, Operator::Count(_)) && object.contains_key("compare") {
            return Err(at(&place("compare"), Fault::new("only count has “compare”")));
        }
        let value = object.get("value");
        if matches!(operator, Operator::Exists | Operator::Empty) {
            return match value {
                None | Some(Json::Null) => Ok(resolve::bare(field, operator)),
                Some(_) => Err(at(
                    &place("value"),
                    Fault::new(format!("“{operator_name}” takes no value")),
                )),
            };
        }
        let value = value.ok_or_else(|| at(&place("value"), Fault::new("a value is missing")))?;
        if operator == Operator::In {
            let list = value.as_array();
            let list = list.ok_or_else(|| at(&place("value"), Fault::new("“in” takes a list")))?;
            let mut parts = Vec::with_capacity(list.len());
            for (number, value) in list.iter().enumerate() {
                let below = format!("{pointer}/value/{number}");
                let text = scalar_text(value).map_err(|fault| at(&below, fault))?;
                parts.push(resolve::equals(field, &text).map_err(|fault| at(&below, fault))?);
            }
            return resolve::one_of(field, parts).map_err(|fault| at(&place("value"), fault));
        }
        let value = scalar_text(value).map_err(|fault| at(&place("value"), fault))?;
        let resolved = match operator {
            Operator::Equals => resolve::equals(field, &value),
            Operator::NotEquals => resolve::equals(field, &value).map(resolve::negated),
            Operator::WithinNext | Operator::WithinLast => resolve::within(field, operator, &value),
            Operator::Count(_) => {
                let order = match object.get("compare").map(Json::as_str) {
                    None => Some(Order::Equal),
                    Some(name) => {
                        ORDERS.iter().find(|(o, _)| Some(*o) == name).map(|(_, order)| *order)
                    }
                };
                let unknown = || Fault::new("“compare” is one of the six comparing operators");
                let order = order.ok_or_else(|| at(&place("compare"), unknown()))?;
                resolve::count(field, order, &value)
            }
            _ if operator.order().is_some() => resolve::ordered(field, operator, &value),
            _ => resolve::textual(field, operator, &value),
        };
        resolved.map_err(|fault| at(&place("value"), fault))
    }
}

fn operator(name: &str) -> Result<Operator, Fault> {
    if name == "count" {
        return Ok(Operator::Count(Order::Equal));
    }
    let known = OPERATORS.iter().find(|(known, _)| *known == name);
    known.map(|(_, operator)| *operator).ok_or_else(|| {
        let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).chain(["count"]).collect();
        let rather = super::schema::nearest(name, names.iter().copied());
        let mut message = format!("unknown operator “{name}”");
        if rather.is_none() {
            message.push_str(&format!("; the operators are {}", names.join(", ")));
        }
        Fault::new(message).or_rather(rather)
    })
}

fn words(json: &Json, pointer: &str) -> Result<Filter, FilterError> {
    let none = || at(pointer, Fault::new("“words” takes a text, or a list of texts"));
    let texts = match json {
        Json::String(text) => vec![text.as_str()],
        Json::Array(list) => {
            list.iter().map(|text| text.as_str().ok_or_else(none)).collect::<Result<_, _>>()?
        }
        _ => return Err(none()),
    };
    let words: Vec<Word> = texts.into_iter().flat_map(|text| Word::all(text, true)).collect();
    match words.is_empty() {
        true => Err(at(pointer, Fault::new("there is nothing to search for"))),
        false => Ok(Filter::Words(words)),
    }
}

fn scalar_text(json: &Json) -> Result<String, Fault> {
    match json {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(flag) => Ok(flag.to_string()),
        _ => Err(Fault::new("a string, a number, true or false is expected")),
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn at(pointer: &str, fault: Fault) -> FilterError {
    fault.at(Place::Json(pointer.to_owned()))
}
