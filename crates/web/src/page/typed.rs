//! What somebody typed into a form, and what was wrong with it: a refused form comes back as it
//! was.

use std::collections::BTreeMap;

use chancery_engine::Error;

use crate::edge::Problem;
use crate::ui::Field;

/// Values of a form by field, and the refusal if there was one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    values: BTreeMap<String, Vec<String>>,
    refusal: Option<(String, String)>,
}

impl Typed {
    /// The fields as they came in.
    pub(crate) fn read(pairs: Vec<(String, String)>) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            values.entry(name).or_default().push(value);
        }
        Self { values, refusal: None }
    }

    /// The same with a value where nothing was typed.
    #[must_use]
    pub(crate) fn or(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.entry(name.to_owned()).or_insert_with(|| vec![value.into()]);
        self
    }

    /// The same with another value in a field.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.insert(name.to_owned(), vec![value.into()]);
        self
    }

    /// The same with several values where nothing was typed.
    #[must_use]
    pub(crate) fn or_all(mut self, name: &str, all: Vec<String>) -> Self {
        self.values.entry(name.to_owned()).or_insert(all);
        self
    }

    /// The first value of a field, trimmed; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The first value as it is: passwords.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.values.get(name).and_then(|all| all.first()).map_or("", String::as_str)
    }

    /// The first value, unless it is empty.
    pub(crate) fn some(&self, name: &str) -> Option<String> {
        Some(self.text(name).to_owned()).filter(|text| !text.is_empty())
    }

    /// The version of what a form was filled from.
    ///
    /// # Errors
    /// There is none: what somebody else has changed since must not be lost.
    pub(crate) fn version(&self, name: &str) -> Result<i64, Error> {
        let message = "the form has none: load the page again";
        self.text(name).parse().map_err(|_| Error::invalid(name, message))
    }

    /// All values of a field that are not empty.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let all = self.values.get(name).into_iter().flatten();
        all.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    }

    /// Every field with each of its values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.values.iter();
        all.flat_map(|(name, all)| all.iter().map(|value| (name.as_str(), value.as_str())))
    }

    /// Whether a field came in at all: boxes that are not ticked do not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Notes a refusal that the person can correct here; hands back what they cannot.
    pub(crate) fn refused(mut self, error: Error) -> Result<Self, Problem> {
        let correctable = matches!(
            error,
            Error::Invalid { .. }
                | Error::Unreadable { .. }
                | Error::Conflict { .. }
                | Error::WrongCredentials
        ) || error.reason() == "changed_meanwhile"
            || error.reason() == "exists";
        if !correctable {
            return Err(error.into());
        }
        self.refusal = Some(match error {
            Error::Invalid { field, message } => (field, sentence(&message)),
            other => {
                let problem = Problem::from(other);
                (String::new(), sentence(problem.detail.as_deref().unwrap_or(problem.title)))
            }
        });
        Ok(self)
    }

    /// Whether there was a refusal.
    pub(crate) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// What was wrong with a field.
    pub(crate) fn error(&self, name: &str) -> &str {
        match &self.refusal {
            Some((field, message)) if field == name => message,
            _ => "",
        }
    }

    /// What was wrong, where none of `fields` is to blame.
    pub(crate) fn general_error(&self, fields: &[&str]) -> Option<&str> {
        match &self.refusal {
            Some((field, message)) if !fields.contains(&field.as_str()) => Some(message),
            _ => None,
        }
    }

    /// A field of a form with what was typed and what was wrong.
    pub(crate) fn field<'a>(
        &'a self,
        id: &'a str,
        name: &'a str,
        label: &'a str,
        hint: &'a str,
    ) -> Field<'a> {
        Field {
            id,
            name,
            label,
            hint,
            value: self.raw(name),
            error: self.error(name),
            ..Field::default()
        }
    }
}

/// A sentence that begins and ends like one.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>());
    let stop = if text.ends_with(['.', '?', '!', '…']) { "" } else { "." };
    format!("{}{}{stop}", first.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_at_its_field_and_the_values_stay() {
        let pairs = vec![("name".to_owned(), " x ".to_owned()), ("g".into(), String::new())];
        let typed = Typed::read(pairs).or("role", "viewer").or("name", "other");
        let typed = typed.refused(Error::invalid("name", "too short")).unwrap();
        assert_eq!(typed.text("name"), "x");
        assert_eq!(typed.text("role"), "viewer");
        assert_eq!(typed.error("name"), "Too short.");
        assert_eq!(typed.error("role"), "");
        assert_eq!(typed.general_error(&["role"]), Some("Too short."));
        assert_eq!(typed.general_error(&["name"]), None);
        assert!(typed.all("g").is_empty());
        assert!(Typed::default().refused(Error::Unauthenticated).is_err());
    }
}
