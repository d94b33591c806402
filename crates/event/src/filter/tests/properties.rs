//! Properties: every tree survives both spellings, and no input makes the parser panic.

use proptest::{collection::vec, option, sample::select};

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "[ -~]{0,8}",
        "[^\0]{0,5}",
        select(vec![
            "", "*", "a*b", "..", "next", "OR", "and", "-x", "\\", "\"", "a,b", "(", "now"
        ])
        .prop_map(str::to_owned),
    ]
}

fn time() -> impl Strategy<Value = Literal> {
    prop_oneof![
        (-60_000_000_000_000_000_i64..250_000_000_000_000_000).prop_map(Literal::Time),
        (-4_000_i64..4_000).prop_map(|days| Literal::FromNow(days * DAY / 4)),
        (-4_000_000_000_i64..4_000_000_000).prop_map(Literal::FromNow),
    ]
}

fn one(field: &'static str, operator: Operator, literal: Literal) -> Filter {
    Filter::Comparison(Comparison::one(field, operator, literal))
}

fn ordering() -> impl Strategy<Value = Operator> {
    select(vec![Operator::Less, Operator::LessOrEqual, Operator::Greater, Operator::GreaterOrEqual])
}

fn equality() -> impl Strategy<Value = Operator> {
    select(vec![Operator::Equals, Operator::NotEquals])
}

fn leaf() -> impl Strategy<Value = Filter> {
    let textual = select(vec![Operator::Contains, Operator::StartsWith, Operator::EndsWith]);
    let orders =
        vec![Order::Equal, Order::NotEqual, Order::Less, Order::LessOrEqual, Order::Greater];
    let known = || select(vec!["certificate.issue", "certificate.revoke", "authority.create"]);
    let every = select(vec!["type", "names", "size", "expires", "attribute.Cost centre"]);
    prop_oneof![
        (select(vec!["actor", "names", "attribute.Cost centre"]), equality(), text())
            .prop_map(|(field, operator, text)| one(field, operator, Literal::Text(text))),
        (select(vec!["actor", "note"]), textual, text()).prop_map(|(field, operator, text)| one(
            field,
            operator,
            Literal::Text(text)
        )),
        text().prop_map(|text| one("note", Operator::Matches, Literal::Text(regex::escape(&text)))),
        vec(text(), 2..4).prop_map(|texts| Filter::Comparison(Comparison {
            field: "actor".to_owned(),
            operator: Operator::In,
            operand: Operand::Many(texts.into_iter().map(Literal::Text).collect()),
        })),
        (equality(), known()).prop_map(|(o, value)| one(
            "type",
            o,
            Literal::Text(value.to_owned())
        )),
        (ordering(), select(vec!["info", "error"])).prop_map(|(o, value)| one(
            "severity",
            o,
            Literal::Text(value.to_owned())
        )),
        (ordering(), any::<i64>()).prop_map(|(o, number)| one("size", o, Literal::Integer(number))),
        (ordering(), -1e12..1e12).prop_map(|(o, number)| one("score", o, Literal::Decimal(number))),
        (equality(), any::<bool>()).prop_map(|(o, flag)| one("trusted", o, Literal::Boolean(flag))),
        (ordering(), time()).prop_map(|(o, time)| one("expires", o, time)),
        (0..i64::MAX).prop_map(|us| one("time", Operator::WithinLast, Literal::Duration(us))),
        (0..4000_i64).prop_map(|days| one(
            "time",
            Operator::WithinNext,
            Literal::Duration(days * DAY)
        )),
        (every.clone(), select(orders), -5..5_i64).prop_map(|(field, order, n)| one(
            field,
            Operator::Count(order),
            Literal::Integer(n)
        )),
        (every, select(vec![Operator::Exists, Operator::Empty]))
            .prop_map(|(field, operator)| Filter::Comparison(Comparison::bare(field, operator))),
        (text(), any::<bool>()).prop_map(|(text, prefix)| {
            let mut words = Word::all(&text, false);
            words.iter_mut().for_each(|word| word.prefix = prefix);
            Filter::Words(words)
        }),
        Just(Filter::All),
    ]
}

pub(in super::super) fn tree() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::And),
            vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

/// Text made of the pieces of the grammar: reaches further into the parser than arbitrary text.
fn pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "type",
        "names",
        "size",
        "expires",
        "severity",
        "count",
        ":",
        "<",
        ">=",
        "!=",
        "~",
        "!~",
        "*",
        "\"",
        "(",
        ")",
        ",",
        "..",
        "-",
        " ",
        " OR ",
        " AND ",
        "NOT ",
        " or ",
        "Not ",
        "next(",
        "last(",
        "30d",
        "5",
        "2026-11-21",
        "a",
        "certificate.",
        "\\",
        "é",
        "\u{a0}",
        "warning",
        "{",
        "[",
        "|",
    ]);
    (vec(piece, 0..24), option::of("[\\PC]{0,4}"))
        .prop_map(|(pieces, more)| pieces.concat() + &more.unwrap_or_default())
}

/// The tree with each `in` as an `or` of equalities, as SCIM says it.
fn spread(filter: Filter) -> Filter {
    match filter {
        Filter::And(parts) => Filter::And(parts.into_iter().map(spread).collect()),
        Filter::Or(parts) => Filter::Or(parts.into_iter().map(spread).collect()),
        Filter::Not(part) => Filter::Not(Box::new(spread(*part))),
        Filter::Comparison(Comparison { field, operand: Operand::Many(literals), .. }) => {
            let equal = |literal| one_of(&field, literal);
            Filter::Or(literals.into_iter().map(equal).collect())
        }
        other => other,
    }
}

fn one_of(field: &str, literal: Literal) -> Filter {
    Filter::Comparison(Comparison::one(field, Operator::Equals, literal))
}

/// Text made of the pieces of SCIM's grammar.
fn scim_pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "type",
        "names",
        "size",
        "expires",
        "severity",
        "actor",
        "trusted",
        " eq ",
        " ne ",
        " co ",
        " sw ",
        " gt ",
        " le ",
        " pr",
        " and ",
        " or ",
        "not ",
        "not(",
        "(",
        ")",
        " ",
        "\"a\"",
        "\"certificate.issue\"",
        "\"warning\"",
        "\"2026-11-21\"",
        "\"\\u00e9\"",
        "\"",
        "5",
        "-1.5e3",
        "true",
        "null",
        "[",
        "]",
        "urn:x:",
        "é",
        "\u{a0}",
        "\\",
    ]);
    (vec(piece, 0..16), option::of("[\\PC]{0,4}"))
        .prop_map(|(pieces, more)| pieces.concat() + &more.unwrap_or_default())
}

/// Whatever the text, parsing ends; an error lies within the text; a filter survives both
/// spellings.
fn total(text: &str) -> Result<(), TestCaseError> {
    match Filter::parse(text, &schema()) {
        Ok(filter) => {
            let canonical = filter.to_text();
            prop_assert_eq!(
                &Filter::parse(&canonical, &schema()).unwrap(),
                &filter,
                "{}",
                canonical
            );
            prop_assert_eq!(&Filter::from_json(&filter.to_json(), &schema()).unwrap(), &filter);
            let compiled = filter.compile(&schema()).unwrap();
            let explained = compiled.explain(&thing(), NOW);
            prop_assert_eq!(explained.holds, compiled.holds(&thing(), NOW));
            prop_assert!(!(explained.holds && explained.nearly));
            same_verdict(&filter)?;
        }
        Err(error) => {
            let Place::Text { offset, length } = error.place else { panic!("{error}") };
            prop_assert!(text.get(offset..).is_some(), "{}", error);
            prop_assert!(offset + length <= text.len(), "{}", error);
        }
    }
    Ok(())
}

/// How near an object is follows from the explanation, and what holds for one is not impossible.
fn same_verdict(filter: &Filter) -> Result<(), TestCaseError> {
    let compiled = filter.compile(&schema()).unwrap();
    let explained = compiled.explain(&thing(), NOW);
    let near = match (explained.holds, explained.nearly) {
        (true, _) => Nearness::Holds,
        (false, true) => Nearness::Nearly,
        (false, false) => Nearness::Far,
    };
    prop_assert_eq!(compiled.nearness(&thing(), NOW), near);
    if explained.holds {
        let why = contradiction(filter, &schema(), &|field| field != "names");
        prop_assert_eq!(why, None, "{}", filter.to_text());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn trees_survive_both_spellings(tree in tree()) {
        let normal = tree.clone().normal();
        prop_assert_eq!(normal.clone().normal(), normal.clone());
        if tree.compile(&schema()).is_ok() {
            same_verdict(&tree)?;
        }
        let text = tree.to_text();
        if text.len() <= TEXT_BYTES_MAX {
            prop_assert_eq!(&Filter::parse(&text, &schema()).unwrap(), &normal, "{}", text);
        }
        prop_assert_eq!(&Filter::from_json(&normal.to_json(), &schema()).unwrap(), &normal);
    }

    #[test]
    fn what_scim_can_say_survives_it(tree in tree()) {
        if let Ok(scim) = tree.to_scim() && scim.len() <= TEXT_BYTES_MAX {
            let read = Filter::from_scim(&scim, &schema());
            prop_assert_eq!(read.as_ref(), Ok(&spread(tree.normal()).normal()), "{}", scim);
            // From the text spelling through the tree to SCIM and back, likewise.
            let text = read.clone().unwrap().to_text();
            if text.len() <= TEXT_BYTES_MAX {
                let again = Filter::parse(&text, &schema()).unwrap().to_scim().unwrap();
                prop_assert_eq!(&again, &scim);
            }
        }
    }

    #[test]
    fn arbitrary_scim_never_panics(text in scim_pieces()) {
        match Filter::from_scim(&text, &schema()) {
            Ok(filter) => {
                let scim = filter.to_scim();
                if let Ok(scim) = &scim && scim.len() <= TEXT_BYTES_MAX {
                    let again = Filter::from_scim(scim, &schema());
                    prop_assert_eq!(again, Ok(spread(filter).normal()));
                }
            }
            Err(error) => {
                let Place::Text { offset, length } = error.place else { panic!("{error}") };
                prop_assert!(text.get(offset..).is_some(), "{}", error);
                prop_assert!(text.get(offset..offset + length).is_some(), "{}", error);
            }
        }
    }

    #[test]
    fn normal_form_means_the_same(tree in tree()) {
        let before = tree.compile(&schema()).unwrap();
        let after = tree.clone().normal().compile(&schema()).unwrap();
        prop_assert_eq!(before.holds(&thing(), NOW), after.holds(&thing(), NOW));
        prop_assert_eq!(before.holds(&Thing::default(), NOW), after.holds(&Thing::default(), NOW));
        let negated = tree.clone().negate().compile(&schema()).unwrap();
        prop_assert_eq!(before.holds(&thing(), NOW), !negated.holds(&thing(), NOW));
        prop_assert_eq!(before.explain(&thing(), NOW).holds, before.holds(&thing(), NOW));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        total(&text)?;
    }

    #[test]
    fn arbitrary_characters_never_panic(text in any::<String>()) {
        total(&text)?;
    }

    #[test]
    fn arbitrary_pieces_never_panic(text in pieces()) {
        total(&text)?;
    }
}
