//! Conditions that nothing can meet, found before somebody waits for them: contradictory
//! equalities, ranges that exclude each other, a value that is wanted and wanted absent.
//!
//! Careful on one side: what is not understood counts as possible. A field with several values
//! meets `a` and `b` by different ones, so only fields that the caller knows to have one value at
//! most are held to that.

use std::collections::BTreeMap;

use super::{
    Comparison, FieldKind, Filter, Order, Scalar, Schema, Test, text, words::starts_with_folded,
};

/// Why a filter can hold for no object; `None`: nothing speaks against it. `single` tells of a
/// field, by its canonical name, that no object has more than one value of it.
pub fn contradiction(
    filter: &Filter,
    schema: &Schema,
    single: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let mut facts = Facts { schema, single, fields: BTreeMap::new(), never: false };
    facts.impossible(&[(filter, true)])
}

/// A part of a filter, and whether it is to hold.
type Part<'f> = (&'f Filter, bool);

/// What is wanted of each field.
#[derive(Clone)]
struct Facts<'s> {
    schema: &'s Schema,
    single: &'s dyn Fn(&str) -> bool,
    fields: BTreeMap<String, Vec<Need>>,
    never: bool,
}

/// One thing that is wanted of a field.
#[derive(Clone)]
struct Need {
    what: What,
    spelling: String,
}

#[derive(Clone)]
enum What {
    Exists,
    Empty,
    OneOf(Vec<Scalar>),
    NoneOf(Vec<Scalar>),
    /// Some value stands so; with false none does.
    Ordered(Order, Scalar, bool),
    Window(i64, i64),
    Like(Test, bool),
    Count(Order, i64),
}

impl What {
    /// Whether it takes a value.
    fn takes_value(&self) -> bool {
        match self {
            Self::Exists | Self::OneOf(_) | Self::Window(..) => true,
            Self::Ordered(_, _, holds) | Self::Like(_, holds) => *holds,
            Self::Count(..) | Self::Empty | Self::NoneOf(_) => false,
        }
    }
}

impl Facts<'_> {
    /// Why these parts cannot all be as they are to be, besides what is known.
    fn impossible(&mut self, parts: &[Part<'_>]) -> Option<String> {
        let mut choices = Vec::new();
        for part in parts {
            self.gather(*part, &mut choices);
        }
        if self.never {
            return Some("it holds for nothing".to_owned());
        }
        if let Some(why) = self.fields.iter().find_map(|(name, needs)| self.clash(name, needs)) {
            return Some(why);
        }
        for choice in choices {
            let mut why = None;
            let dead = choice.iter().all(|part| {
                why = self.clone().impossible(std::slice::from_ref(part));
                why.is_some()
            });
            if dead {
                return Some(why.unwrap_or_else(|| "it holds for nothing".to_owned()));
            }
        }
        None
    }

    fn gather<'f>(&mut self, (filter, holds): Part<'f>, choices: &mut Vec<Vec<Part<'f>>>) {
        match (filter, holds) {
            (Filter::All, true) | (Filter::Words(_), _) => {}
            (Filter::All, false) => self.never = true,
            (Filter::Not(part), holds) => self.gather((part, !holds), choices),
            (Filter::And(parts), true) | (Filter::Or(parts), false) => {
                parts.iter().for_each(|part| self.gather((part, holds), choices));
            }
            (Filter::Or(parts), true) | (Filter::And(parts), false) => {
                choices.push(parts.iter().map(|part| (part, holds)).collect());
            }
            (Filter::Comparison(comparison), holds) => self.note(comparison, holds),
        }
    }

    fn note(&mut self, comparison: &Comparison, holds: bool) {
        let Ok(test) = Test::new(comparison, self.schema) else { return };
        let Some(field) = self.schema.field(&comparison.field) else { return };
        let what = match (test, holds) {
            (Test::Exists, true) | (Test::Empty, false) => What::Exists,
            (Test::Empty, true) | (Test::Exists, false) => What::Empty,
            (Test::AnyOf { values, .. }, true) => What::OneOf(values),
            (Test::AnyOf { values, .. }, false) => What::NoneOf(values),
            (Test::NotEqual { value, .. }, true) => What::NoneOf(vec![value]),
            (Test::NotEqual { value, .. }, false) => What::OneOf(vec![value]),
            (Test::Ordered(order, scalar), holds) => What::Ordered(order, scalar, holds),
            (Test::Within { from, to }, true) => What::Window(from, to),
            (Test::Count(order, number), true) => What::Count(order, number),
            (Test::Within { .. } | Test::Count(..) | Test::Matches { .. }, _) => return,
            (like, holds) => What::Like(like, holds),
        };
        let mut spelling = if holds { String::new() } else { "-".to_owned() };
        text::comparison_text(comparison, &mut spelling);
        self.fields.entry(field.name.clone()).or_default().push(Need { what, spelling });
    }

    /// Why what is wanted of one field cannot be.
    fn clash(&self, name: &str, needs: &[Need]) -> Option<String> {
        let kind = self.schema.field(name).map(|field| &field.kind);
        let single = (self.single)(name);
        let clashes = wants_both(needs)
            || counts_clash(needs, single)
            || nothing_left(needs, kind)
            || (single && (values_clash(needs) || bounds_clash(needs) || ends_clash(needs)));
        clashes.then(|| {
            let told: Vec<_> = needs.iter().map(|need| format!("“{}”", need.spelling)).collect();
            match told.as_slice() {
                [one] => format!("{one} can never hold"),
                all => format!("{} can never hold together", all.join(" and ")),
            }
        })
    }
}

/// A value and none.
fn wants_both(needs: &[Need]) -> bool {
    let empty = needs.iter().any(|need| matches!(need.what, What::Empty));
    empty && needs.iter().any(|need| need.what.takes_value())
}

fn counts_clash(needs: &[Need], single: bool) -> bool {
    let (mut least, mut most) = (0_i64, if single { 1 } else { i64::MAX });
    for need in needs {
        match need.what {
            What::Empty => most = most.min(0),
            What::Count(order, number) => match order {
                Order::Equal => (least, most) = (least.max(number), most.min(number)),
                Order::NotEqual => {}
                Order::Less => most = most.min(number.saturating_sub(1)),
                Order::LessOrEqual => most = most.min(number),
                Order::Greater => least = least.max(number.saturating_add(1)),
                Order::GreaterOrEqual => least = least.max(number),
            },
            _ if need.what.takes_value() => least = least.max(1),
            _ => {}
        }
    }
    let counted = needs.iter().any(|need| matches!(need.what, What::Count(..)));
    counted && least > most
}

/// Each value that is allowed is also forbidden.
fn nothing_left(needs: &[Need], kind: Option<&FieldKind>) -> bool {
    let forbidden = |value: &Scalar| {
        needs.iter().any(|need| matches!(&need.what, What::NoneOf(list) if list.contains(value)))
    };
    let dead = |need: &Need| match &need.what {
        What::OneOf(values) => values.iter().all(forbidden),
        _ => false,
    };
    let all: Vec<Scalar> = match kind {
        Some(FieldKind::Boolean) => vec![Scalar::Boolean(true), Scalar::Boolean(false)],
        Some(FieldKind::Keyword(words) | FieldKind::Ordered(words)) => {
            words.values().unwrap_or_default().iter().cloned().map(Scalar::Text).collect()
        }
        _ => Vec::new(),
    };
    let takes = needs.iter().any(|need| need.what.takes_value());
    needs.iter().any(dead) || (takes && !all.is_empty() && all.iter().all(forbidden))
}

/// One value cannot be all of what is wanted.
fn values_clash(needs: &[Need]) -> bool {
    let mut lists = needs.iter().filter_map(|need| match &need.what {
        What::OneOf(values) => Some(values),
        _ => None,
    });
    let Some(first) = lists.next() else { return false };
    !first.iter().any(|value| needs.iter().all(|need| allows(&need.what, value)))
}

/// Whether a value is what is wanted, as far as can be told without the time.
fn allows(what: &What, value: &Scalar) -> bool {
    match what {
        What::OneOf(values) => values.contains(value),
        What::NoneOf(values) => !values.contains(value),
        What::Ordered(order, bound, holds) => {
            compared(value, bound).is_none_or(|found| order.holds(found) == *holds)
        }
        What::Like(test, holds) => match value {
            Scalar::Text(text) => like(test, text).is_none_or(|found| found == *holds),
            _ => true,
        },
        What::Window(from, to) => match value {
            Scalar::FromNow(at) => (from..=to).contains(&at),
            _ => true,
        },
        What::Empty => false,
        What::Exists | What::Count(..) => true,
    }
}

fn compared(value: &Scalar, bound: &Scalar) -> Option<std::cmp::Ordering> {
    match (value, bound) {
        (Scalar::Integer(a), Scalar::Integer(b))
        | (Scalar::Time(a), Scalar::Time(b))
        | (Scalar::FromNow(a), Scalar::FromNow(b)) => Some(a.cmp(b)),
        (Scalar::Decimal(a), Scalar::Decimal(b)) => a.partial_cmp(b),
        _ => None,
    }
}

fn like(test: &Test, value: &str) -> Option<bool> {
    let folded = |fold: bool| if fold { value.to_ascii_lowercase() } else { value.to_owned() };
    Some(match test {
        Test::Contains { text, fold } => folded(*fold).contains(text),
        Test::StartsWith { text, fold: true } => starts_with_folded(value, text),
        Test::StartsWith { text, fold: false } => value.starts_with(text),
        Test::EndsWith { text, fold } => folded(*fold).ends_with(text),
        _ => return None,
    })
}

/// Ranges that exclude each other. Points in time and times from now on are told apart.
fn bounds_clash(needs: &[Need]) -> bool {
    if !needs.iter().any(|need| need.what.takes_value()) {
        return false;
    }
    let mut ranges = [Range::default(), Range::default(), Range::default()];
    for need in needs {
        match &need.what {
            What::Ordered(order, bound, holds) => {
                let Some((place, at, whole)) = lane(bound) else { continue };
                if let Some(range) = ranges.get_mut(place) {
                    range.narrow(*order, at, *holds, whole);
                }
            }
            What::Window(from, to) => {
                ranges[2].narrow(Order::GreaterOrEqual, *from as f64, true, true);
                ranges[2].narrow(Order::LessOrEqual, *to as f64, true, true);
            }
            _ => {}
        }
    }
    ranges.iter().any(Range::is_empty)
}

/// Which range a bound belongs to, where it stands, and whether only whole numbers stand there.
fn lane(bound: &Scalar) -> Option<(usize, f64, bool)> {
    Some(match bound {
        Scalar::Integer(number) => (0, *number as f64, true),
        Scalar::Decimal(number) => (0, *number, false),
        Scalar::Time(at) => (1, *at as f64, true),
        Scalar::FromNow(at) => (2, *at as f64, true),
        Scalar::Text(_) | Scalar::Boolean(_) => return None,
    })
}

/// What is left of the numbers: both ends are in. Of numbers that are not whole an end that is out
/// counts as in, which takes something impossible for possible and never the reverse.
struct Range {
    least: f64,
    most: f64,
}

impl Default for Range {
    fn default() -> Self {
        Self { least: f64::NEG_INFINITY, most: f64::INFINITY }
    }
}

impl Range {
    fn narrow(&mut self, order: Order, at: f64, holds: bool, whole: bool) {
        let order = match (order, holds) {
            (order, true) => order,
            (Order::Less, false) => Order::GreaterOrEqual,
            (Order::LessOrEqual, false) => Order::Greater,
            (Order::Greater, false) => Order::LessOrEqual,
            (Order::GreaterOrEqual, false) => Order::Less,
            (Order::Equal | Order::NotEqual, false) => return,
        };
        let next = if whole { 1.0 } else { 0.0 };
        match order {
            Order::Equal => (self.least, self.most) = (self.least.max(at), self.most.min(at)),
            Order::NotEqual => {}
            Order::Less => self.most = self.most.min(at - next),
            Order::LessOrEqual => self.most = self.most.min(at),
            Order::Greater => self.least = self.least.max(at + next),
            Order::GreaterOrEqual => self.least = self.least.max(at),
        }
    }

    fn is_empty(&self) -> bool {
        self.least > self.most
    }
}

/// Beginnings, or ends, of which none is that of another.
fn ends_clash(needs: &[Need]) -> bool {
    let of = |wanted: fn(&Test) -> Option<&str>| -> Vec<String> {
        let like = needs.iter().filter_map(|need| match &need.what {
            What::Like(test, true) => wanted(test),
            _ => None,
        });
        like.map(str::to_ascii_lowercase).collect()
    };
    let starts = of(|test| match test {
        Test::StartsWith { text, .. } => Some(text),
        _ => None,
    });
    let ends = of(|test| match test {
        Test::EndsWith { text, .. } => Some(text),
        _ => None,
    });
    let apart = |list: &[String], fits: fn(&str, &str) -> bool| {
        list.iter().any(|one| list.iter().any(|other| !fits(one, other) && !fits(other, one)))
    };
    apart(&starts, |one, other| one.starts_with(other))
        || apart(&ends, |one, other| one.ends_with(other))
}

#[cfg(test)]
mod tests {
    use super::super::tests::schema;
    use super::*;

    fn of(text: &str) -> Option<String> {
        let filter = Filter::parse(text, &schema()).unwrap();
        contradiction(&filter, &schema(), &|field| field != "names")
    }

    #[test]
    fn what_nothing_can_meet_is_found_and_what_something_may_is_not() {
        for text in [
            "actor:ada actor:bob",
            "actor:ada -actor:ADA",
            "actor:ada,bob -actor:ada -actor:bob",
            "outcome:success outcome:failure",
            "outcome:* -outcome:success -outcome:failure",
            "severity>=error severity<warning",
            "severity<info",
            "size<1024 size>4096",
            "size>5 size<6",
            "size:5 size>6",
            "score>2 score<1.5",
            "trusted:true trusted:false",
            "expires<1d expires>2d",
            "expires<2026-01-01 expires>2027-01-01",
            "time:last(1h) time:next(1h) time>5m",
            "note:a* note:b*",
            "note:*a note:*b",
            "note:ada* note:bob",
            "-names:* names:www",
            "names:www -names:www",
            "count(size)=0 size>1",
            "count(size)>1",
            "count(names)>2 count(names)<2",
            "(actor:ada OR actor:bob) actor:eve",
            "size>5 (size<3 OR (size<4 actor:ada))",
            "-(actor:ada OR -actor:ada)",
        ] {
            assert!(of(text).is_some(), "{text}");
        }
        for text in [
            "",
            "names:a names:b",
            "names:a* names:b*",
            "-outcome:success -outcome:failure",
            "size>=5 size<=5",
            "score>1 score<1.5",
            "expires<1d expires>2027-01-01",
            "expires<2d expires>1d",
            "actor:ada OR actor:bob",
            "note:a* note:ab*",
            "-size>5 -size<6",
            "note~^a note~^b",
            "count(names)=2 names:a",
            "(actor:ada OR outcome:success) actor:eve",
            "timeout -timeout",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        let why = of("size<1024 size>4096").unwrap();
        assert_eq!(why, "“size<1024” and “size>4096” can never hold together");
        assert_eq!(of("severity<info").unwrap(), "“severity<info” can never hold");
    }
}
