//! Which fields a filter may name, and their types. A schema is a run-time value: the catalogue,
//! the inventory model and the custom attributes of an installation all contribute fields.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::error::Fault;

/// As many known values as a message may list.
const LISTED_MAX: usize = 32;

/// More edits than this are another word, however long it is.
const EDITS_MAX: usize = 3;

/// The fields of one kind of object. Cheap to clone; never changed once shared.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    name: String,
    fields: Vec<Field>,
    places: HashMap<String, usize>,
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// The canonical name, for example `expires` or `attribute.cost_centre`.
    pub name: String,
    /// Other names it is found by.
    pub aliases: Vec<String>,
    /// The type of its values.
    pub kind: FieldKind,
    /// One sentence for people.
    pub doc: String,
    /// Whether lists offer it as a facet with counts.
    pub facet: bool,
    /// Whether lists can be sorted by it.
    pub sortable: bool,
}

/// The type of a field's values. Every field may have none, one or several.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// Text, compared without regard to ASCII case.
    Text,
    /// One of a set of words, canonically lower case, compared exactly.
    Keyword(Keywords),
    /// One of a list of words that have an order, lowest first: `severity>=warning`.
    Ordered(Keywords),
    /// An identifier, canonically lower case, compared exactly.
    Id,
    /// A signed 64-bit number.
    Integer,
    /// A finite binary floating point number.
    Decimal,
    /// True or false.
    Boolean,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// The known words of a keyword field.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    known: Option<Vec<String>>,
    aliases: BTreeMap<String, Vec<String>>,
}

impl Keywords {
    /// Any word is accepted.
    pub fn open() -> Self {
        Self::default()
    }

    /// Only these words (stored in lower case) are accepted; for an ordered field, lowest first.
    pub fn known<I: IntoIterator<Item = S>, S: AsRef<str>>(values: I) -> Self {
        let known = values.into_iter().map(|v| v.as_ref().to_ascii_lowercase()).collect();
        Self { known: Some(known), aliases: BTreeMap::new() }
    }

    /// Adds another system's word for a value. One word may stand for several values.
    pub fn alias(mut self, alias: &str, value: &str) -> Self {
        let values = self.aliases.entry(alias.to_ascii_lowercase()).or_default();
        values.push(value.to_ascii_lowercase());
        self
    }

    /// The known values; `None` if any word is accepted.
    pub fn values(&self) -> Option<&[String]> {
        self.known.as_deref()
    }

    /// The canonical values that a word, in any case, stands for.
    pub(crate) fn resolve(&self, field: &str, word: &str) -> Result<Vec<String>, Fault> {
        let word = word.to_ascii_lowercase();
        let known = self.known.as_ref();
        if known.is_some_and(|known| known.contains(&word)) {
            return Ok(vec![word]);
        }
        if let Some(values) = self.aliases.get(&word) {
            return Ok(values.clone());
        }
        let Some(known) = known else { return Ok(vec![word]) };
        let words = known.iter().chain(self.aliases.keys());
        let rather = nearest(&word, words.map(String::as_str));
        let mut message = format!("“{word}” is not a value of {field}");
        if rather.is_none() && !known.is_empty() && known.len() <= LISTED_MAX {
            message.push_str(&format!("; its values are {}", known.join(", ")));
        }
        Err(Fault::new(message).or_rather(rather))
    }

    /// Fails if no known value starts with the prefix.
    pub(crate) fn check_prefix(&self, field: &str, prefix: &str) -> Result<(), Fault> {
        let Some(known) = &self.known else { return Ok(()) };
        if known.iter().any(|value| value.starts_with(prefix)) {
            return Ok(());
        }
        Err(Fault::new(format!("no value of {field} starts with “{prefix}”"))
            .or_rather(nearest(prefix, known.iter().map(String::as_str))))
    }
}

impl Field {
    /// A field without aliases that is neither facet nor sortable.
    pub fn new(name: impl Into<String>, kind: FieldKind, doc: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            kind,
            doc: doc.into(),
            facet: false,
            sortable: false,
        }
    }

    /// The same field with another name it is found by.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }

    /// The same field, offered as a facet.
    pub fn facet(mut self) -> Self {
        self.facet = true;
        self
    }

    /// The same field, offered for sorting.
    pub fn sortable(mut self) -> Self {
        self.sortable = true;
        self
    }
}

impl FieldKind {
    /// What a person calls a value of this type.
    pub fn noun(&self) -> &'static str {
        match self {
            FieldKind::Text => "text",
            FieldKind::Keyword(_) | FieldKind::Ordered(_) => "a keyword",
            FieldKind::Id => "an id",
            FieldKind::Integer => "a whole number",
            FieldKind::Decimal => "a number",
            FieldKind::Boolean => "true or false",
            FieldKind::Timestamp => "a time",
        }
    }

    /// Whether values are compared as strings: contains, starts with, ends with, matches.
    pub fn is_textual(&self) -> bool {
        matches!(
            self,
            FieldKind::Text | FieldKind::Keyword(_) | FieldKind::Ordered(_) | FieldKind::Id
        )
    }

    /// Whether less and greater mean something.
    pub fn is_ordered(&self) -> bool {
        matches!(
            self,
            FieldKind::Ordered(_) | FieldKind::Integer | FieldKind::Decimal | FieldKind::Timestamp
        )
    }
}

impl Schema {
    /// A schema of these fields. Of two fields with the same name (in any case) the later one
    /// counts; a name always counts before an alias.
    pub fn new(name: impl Into<String>, fields: Vec<Field>) -> Self {
        let mut places = HashMap::new();
        for (place, field) in fields.iter().enumerate() {
            for alias in &field.aliases {
                places.insert(alias.to_lowercase(), place);
            }
        }
        for (place, field) in fields.iter().enumerate() {
            places.insert(field.name.to_lowercase(), place);
        }
        Self(Arc::new(Inner { name: name.into(), fields, places }))
    }

    /// A schema with more fields, for example `attribute.<name>` of each custom attribute.
    pub fn with_fields(&self, more: impl IntoIterator<Item = Field>) -> Self {
        let mut fields = self.0.fields.clone();
        fields.extend(more);
        Self::new(self.0.name.clone(), fields)
    }

    /// What the fields describe: `event`, `certificate`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// All fields in the order they were declared.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The field with this name or alias, in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.0.places.get(&name.to_lowercase()).map(|place| &self.0.fields[*place])
    }

    /// The field, or an error that names the nearest one.
    pub(crate) fn require(&self, name: &str) -> Result<&Field, Fault> {
        self.field(name).ok_or_else(|| {
            let names =
                self.0.fields.iter().flat_map(|f| std::iter::once(&f.name).chain(&f.aliases));
            Fault::new(format!("unknown field “{name}”"))
                .or_rather(nearest(name, names.map(String::as_str)))
        })
    }
}

/// The candidate with the smallest edit distance, if it is near enough to be what was meant. What
/// both have in front of a dot is no likeness: `attribute.x` is not near `attribute.y`.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    candidates
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let (word, lower) = own_parts(&word, &lower);
            let word: Vec<char> = word.chars().take(64).collect();
            let allowed = (1 + word.len() / 3).min(EDITS_MAX);
            let distance = distance(&word, lower);
            (distance <= allowed && distance < lower.len()).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// What is left of both without the segments that they begin with alike.
fn own_parts<'a>(mut one: &'a str, mut other: &'a str) -> (&'a str, &'a str) {
    while let (Some((head, rest)), Some((same, others))) =
        (one.split_once('.'), other.split_once('.'))
        && head == same
    {
        (one, other) = (rest, others);
    }
    (one, other)
}

/// Edit distance in which exchanging two neighbours is one edit (optimal string alignment).
fn distance(word: &[char], candidate: &str) -> usize {
    let candidate: Vec<char> = candidate.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=candidate.len()).collect();
    for (i, letter) in word.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in candidate.iter().enumerate() {
            let mut least =
                (last[j] + usize::from(letter != other)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == candidate[j - 1] && word[i - 1] == *other {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[candidate.len()]
}
