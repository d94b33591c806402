//! The line of a file in which the place of a fault stands.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Class;

/// The line, from 1, of `class/name#pointer`: of the deepest part of it that the file has. `None`:
/// the file does not have the object.
pub(super) fn of(text: &str, place: &str) -> Option<usize> {
    let (object, pointer) = place.split_once('#')?;
    let (class, name) = object.split_once('/')?;
    let class = Class::parse(class)?;
    let file = DeTable::parse(text).ok()?;
    let objects =
        file.get_ref().iter().find(|(word, _)| Class::parse(word.get_ref()) == Some(class));
    let (mut start, mut value) = member(objects?.1.get_ref(), name)?;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        match member(value, &part) {
            Some((deeper, inner)) => (start, value) = (deeper, inner),
            None => break,
        }
    }
    text.get(..start).map(|before| before.matches('\n').count() + 1)
}

/// A member of a table or a list, and where it begins.
fn member<'a, 'i>(value: &'a DeValue<'i>, name: &str) -> Option<(usize, &'a DeValue<'i>)> {
    match value {
        DeValue::Table(members) => {
            let found = members.iter().find(|(member, _)| member.get_ref() == name);
            found.map(|(member, value)| (member.span().start, value.get_ref()))
        }
        DeValue::Array(items) => {
            let item: Option<&Spanned<DeValue<'i>>> = items.get(name.parse::<usize>().ok()?);
            item.map(|item| (item.span().start, item.get_ref()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stands_in_the_line_of_its_deepest_part() {
        let text = "# Ours\n[rule.weak]\nfilter = \"a\"\n\n[triggers.\"a.b\"]\nrules = [\n  \"x\",\n  \
            \"y\",\n]\nscope = { kind = \"group\", name = \"n\" }\n[action.warn]\n\
            [[action.warn.steps]]\nstep = \"notify\"\n[[action.warn.steps]]\nstep = \"set_path\"\n\
            path = \"p\"\n";
        for (place, line) in [
            ("rule/weak#/filter", Some(3)),
            ("rule/weak#", Some(2)),
            ("rule/weak#/other", Some(2)),
            ("trigger/a.b#/rules/1", Some(8)),
            ("trigger/a.b#/scope/name", Some(10)),
            ("action/warn#/steps/1/path", Some(16)),
            ("action/warn#/steps/1/title", Some(14)),
            ("action/warn#/steps/0", Some(12)),
            ("rule/other#/filter", None),
            ("monitor/weak#", None),
            ("file", None),
        ] {
            assert_eq!(of(text, place), line, "{place}");
        }
    }
}
