//! Random objects and random filters that hold for some of them.

use super::*;

/// Short texts of few letters, so that filters hold often: case, wildcards, quotes, the edges of
/// UTF-8, and letters whose case folding is not ASCII's.
fn text() -> impl Strategy<Value = String> {
    let letters = [
        'a',
        'A',
        'b',
        'B',
        'k',
        's',
        '%',
        '_',
        '\\',
        '\'',
        '"',
        '*',
        '?',
        '$',
        ' ',
        'é',
        'É',
        '\u{7f}',
        '\u{80}',
        '\u{7ff}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{ffff}',
        '\u{10ffff}',
        '\u{212a}',
        'ſ',
        'İ',
    ];
    prop_oneof![
        3 => vec(select(vec!['a', 'A', 'b']), 0..3).prop_map(String::from_iter),
        2 => vec(select(letters.to_vec()), 0..4).prop_map(String::from_iter),
    ]
}

fn keyword() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.to_ascii_lowercase())
}

fn severity() -> impl Strategy<Value = String> {
    select(vec!["info", "warning", "error"]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![-2..3_i64, Just(i64::MIN), Just(i64::MAX)]
}

fn decimal() -> impl Strategy<Value = f64> {
    select(vec![-1.5, -0.0, 0.0, 0.1, 2.0, 1e300])
}

fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![NOW - 3..NOW + 4, Just(i64::MIN), Just(i64::MAX)]
}

fn body() -> impl Strategy<Value = String> {
    vec(text(), 0..4).prop_map(|texts| texts.join("."))
}

pub(super) fn object() -> impl Strategy<Value = Thing> {
    let scalars = (
        option::of(text()),
        text(),
        option::of(keyword()),
        option::of(severity()),
        option::of(number()),
        option::of(decimal()),
        option::of(any::<bool>()),
        option::of(micros()),
    );
    let lists = (
        keyword(),
        vec(text(), 0..3),
        vec(keyword(), 0..3),
        vec(number(), 0..3),
        vec(text(), 0..2),
        body(),
    );
    (scalars, lists).prop_map(|(scalars, lists)| {
        let (title, host, kind, severity, size, score, flag, at) = scalars;
        let (ident, names, labels, ports, colours, body) = lists;
        Thing {
            title,
            host,
            kind,
            severity,
            size,
            score,
            flag,
            at,
            ident,
            names,
            labels,
            ports,
            colours,
            body,
        }
    })
}

const EVERY: [&str; 13] = [
    "title",
    "host",
    "kind",
    "severity",
    "size",
    "score",
    "flag",
    "at",
    "ident",
    "names",
    "labels",
    "ports",
    "attribute.colour",
];

pub(super) fn one(field: &str, operator: Operator, literal: Literal) -> Filter {
    Filter::Comparison(Comparison::one(field, operator, literal))
}

fn equality() -> impl Strategy<Value = Operator> {
    select(vec![Operator::Equals, Operator::NotEquals])
}

fn ordering() -> impl Strategy<Value = Operator> {
    select(vec![Operator::Less, Operator::LessOrEqual, Operator::Greater, Operator::GreaterOrEqual])
}

fn comparing() -> impl Strategy<Value = Operator> {
    prop_oneof![equality(), ordering()]
}

/// Patterns with all that the two engines would read differently by themselves.
pub(super) const PATTERNS: &[&str] = &[
    "a",
    "^A",
    "b$",
    "^$",
    "",
    "[^a]",
    "(?-i)A",
    "k",
    "S",
    "É",
    ".",
    "%",
    "a|B",
    r"^(a|b)+$",
    r"\\",
    r#"["']"#,
    r"\bb",
    r"\Bb",
    r"\bweb",
    r"(?i)AWEB",
    r"(?x) a b # both",
    r"(?P<n>a)",
    r"(?<n>a)(?:|b)",
    r"\x41",
    r"\u{e9}",
    r"\x00",
    r"[\D]",
    r"[\W_]$",
    r"\w+",
    r"^\d",
    r"\s",
    r"\S\s\S",
    r"\p{Lu}",
    r"\pL\PL",
    r"[[:upper:]]",
    r"[[:^alpha:]]",
    r"[a[b]]",
    r"[a-z&&[^b]]$",
    r"[a--b]",
    r"[a-k~~b]",
    r"[]^\\-]",
    r"[a&&b]",
    r"(?-u:\b)b",
    r"(?-u:\w)",
    r"(?m)^web$",
    r"(?mR)^b$",
    r"(?R)$",
    r"(?s)A.w",
    r"\Aa.*?b\z",
    r"\b{start}w",
    r"b\b{end}",
    r"\b{start-half}b",
    r"b\b{end-half}",
    r"(?-u)\b{start}b\b{end}",
    r"(?:\b)*a",
    r"(?:^|a)b??",
    r"b{256}",
    r"^b{300}$",
    r"^b{0,300}$",
    r"^b{256,600}$",
    r"^(?:bb){150,}$",
    r"^[^\x01-\x7f]",
    r"[\x{10000}-\x{10ffff}]",
    r"a\.b\*c",
];

fn pattern() -> impl Strategy<Value = String> {
    select(PATTERNS).prop_map(str::to_owned)
}

fn textual() -> impl Strategy<Value = Filter> {
    let loose = || select(vec!["title", "host", "names", "attribute.colour"]);
    let exact = || select(vec!["kind", "ident", "labels"]);
    let operator = || {
        let operators = vec![
            Operator::Equals,
            Operator::NotEquals,
            Operator::Contains,
            Operator::StartsWith,
            Operator::EndsWith,
        ];
        select(operators)
    };
    let list = |field: &str, texts: Vec<String>| {
        Filter::Comparison(Comparison {
            field: field.to_owned(),
            operator: Operator::In,
            operand: Operand::Many(texts.into_iter().map(Literal::Text).collect()),
        })
    };
    let any_text = prop_oneof![loose(), exact(), Just("severity")];
    prop_oneof![
        4 => (loose(), operator(), text()).prop_map(|(f, o, text)| one(f, o, Literal::Text(text))),
        3 => (exact(), operator(), keyword()).prop_map(|(f, o, text)| one(f, o, Literal::Text(text))),
        1 => (loose(), vec(text(), 0..4)).prop_map(move |(field, texts)| list(field, texts)),
        1 => (exact(), vec(keyword(), 0..4)).prop_map(move |(field, texts)| list(field, texts)),
        2 => (any_text, pattern()).prop_map(|(f, p)| one(f, Operator::Matches, Literal::Text(p))),
        1 => (comparing(), severity()).prop_map(|(o, word)| one("severity", o, Literal::Text(word))),
    ]
}

fn leaf() -> impl Strategy<Value = Filter> {
    let orders = vec![
        Order::Equal,
        Order::NotEqual,
        Order::Less,
        Order::LessOrEqual,
        Order::Greater,
        Order::GreaterOrEqual,
    ];
    let time = prop_oneof![
        micros().prop_map(Literal::Time),
        prop_oneof![-3..4_i64, Just(i64::MIN), Just(i64::MAX)].prop_map(Literal::FromNow),
    ];
    let every = || select(EVERY.to_vec());
    prop_oneof![
        6 => textual(),
        1 => (select(vec!["size", "ports"]), comparing(), number())
            .prop_map(|(field, operator, n)| one(field, operator, Literal::Integer(n))),
        1 => (comparing(), decimal()).prop_map(|(o, number)| one("score", o, Literal::Decimal(number))),
        1 => (equality(), any::<bool>()).prop_map(|(o, flag)| one("flag", o, Literal::Boolean(flag))),
        1 => (comparing(), time).prop_map(|(operator, time)| one("at", operator, time)),
        1 => (select(vec![Operator::WithinNext, Operator::WithinLast]), prop_oneof![0..4_i64, Just(i64::MAX)])
            .prop_map(|(operator, us)| one("at", operator, Literal::Duration(us))),
        1 => (every(), select(orders), -1..4_i64)
            .prop_map(|(field, order, n)| one(field, Operator::Count(order), Literal::Integer(n))),
        1 => (every(), select(vec![Operator::Exists, Operator::Empty]))
            .prop_map(|(field, operator)| Filter::Comparison(Comparison::bare(field, operator))),
        2 => (body(), any::<bool>()).prop_map(|(text, prefix)| {
            let mut words = Word::all(&text, false);
            words.iter_mut().for_each(|word| word.prefix = prefix);
            Filter::Words(words)
        }),
        1 => Just(Filter::All),
    ]
}

pub(super) fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::And),
            vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}
