//! What a template may say: texts, fields, conditions, loops, and a few filters and tests.
//!
//! The tree of a template is looked at before anything of it is compiled or run. Everything that
//! could carry a value on and let it grow is refused: variables of its own, blocks, macros, calls,
//! lists that are made to be looped over. What is left is bounded: the steps by fuel, each value by
//! the filters here, the whole by the [`Sheet`] that it is written to.

use std::fmt::{self, Write as _};
use std::io;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::parse;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::wrong;
use crate::Error;

/// Steps that filling a template may take.
const FUEL: u64 = 20_000;
/// Longest value that a filter makes, in bytes.
const VALUE_MAX: usize = 60_000;
/// The largest number that something may be multiplied by: a text would be repeated.
const TIMES_MAX: i64 = 1_000;
/// Expressions inside each other at most.
const DEPTH_MAX: usize = 40;

/// Filters that a template may use.
const FILTERS: [&str; 26] = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "max",
    "min",
    "replace",
    "reverse",
    "round",
    "sort",
    "string",
    "title",
    "trim",
    "upper",
];
/// Tests that a template may use.
const TESTS: [&str; 16] = [
    "defined",
    "undefined",
    "none",
    "true",
    "false",
    "odd",
    "even",
    "number",
    "string",
    "eq",
    "ne",
    "lt",
    "gt",
    "in",
    "startingwith",
    "endingwith",
];

/// Where templates are filled: the filters that could make much of little are our own.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| match name {
        "html" => minijinja::AutoEscape::Html,
        _ => minijinja::AutoEscape::None,
    });
    environment.add_filter("string", |value: &Value| shown(value));
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment
}

fn too_long() -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, "what comes of it is too long")
}

/// A text that takes so many bytes and no more.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > VALUE_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn shown(value: &Value) -> Result<String, minijinja::Error> {
    let mut text = Bounded(String::new());
    write!(text, "{value}").map_err(|_| too_long())?;
    Ok(text.0)
}

fn join(value: &Value, with: Option<String>) -> Result<String, minijinja::Error> {
    let with = with.unwrap_or_default();
    let mut text = Bounded(String::new());
    if value.is_undefined() || value.is_none() {
        return Ok(text.0);
    }
    for (place, item) in value.try_iter()?.enumerate() {
        let gap = if place == 0 { "" } else { with.as_str() };
        write!(text, "{gap}{item}").map_err(|_| too_long())?;
    }
    Ok(text.0)
}

fn replace(value: &Value, from: String, to: String) -> Result<String, minijinja::Error> {
    let value = shown(value)?;
    if from.is_empty() {
        return Ok(value);
    }
    let mut text = Bounded(String::new());
    for (place, part) in value.split(from.as_str()).enumerate() {
        let gap = if place == 0 { "" } else { to.as_str() };
        write!(text, "{gap}{part}").map_err(|_| too_long())?;
    }
    Ok(text.0)
}

/// What a template is written to: it takes so many bytes and no more.
pub(super) struct Sheet {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Sheet {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, is_full: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl io::Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            self.is_full = true;
            return Err(io::Error::other("what comes of it is too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refuses a part of a template that says what none may say, or that cannot be read.
pub(super) fn check(member: &str, source: &str) -> Result<(), Error> {
    let tree = parse(source, member, Default::default()).map_err(|error| wrong(member, &error))?;
    statement(&tree).map_err(|(line, what)| {
        Error::invalid(format!("/{member}"), format!("line {line}: {what}"))
    })
}

/// A line, and what is wrong there.
type Fault = (u16, String);

fn statement(tree: &Stmt<'_>) -> Result<(), Fault> {
    let all = |body: &[Stmt<'_>]| body.iter().try_for_each(statement);
    match tree {
        Stmt::Template(template) => all(&template.children),
        Stmt::EmitRaw(_) => Ok(()),
        Stmt::EmitExpr(emitted) => expression(&emitted.expr, 0, false),
        Stmt::IfCond(condition) => {
            expression(&condition.expr, 0, false)?;
            all(&condition.true_body)?;
            all(&condition.false_body)
        }
        Stmt::ForLoop(repeated) if !repeated.recursive => {
            expression(&repeated.iter, 0, true)?;
            if let Some(only) = &repeated.filter_expr {
                expression(only, 0, false)?;
            }
            all(&repeated.body)?;
            all(&repeated.else_body)
        }
        Stmt::ForLoop(other) => Err(block(other.span().start_line, "recursive")),
        Stmt::WithBlock(other) => Err(block(other.span().start_line, "with")),
        Stmt::Set(other) => Err(block(other.span().start_line, "set")),
        Stmt::SetBlock(other) => Err(block(other.span().start_line, "set")),
        Stmt::AutoEscape(other) => Err(block(other.span().start_line, "autoescape")),
        Stmt::FilterBlock(other) => Err(block(other.span().start_line, "filter")),
        Stmt::Do(other) => Err(block(other.span().start_line, "do")),
        #[allow(unreachable_patterns)] // Which others there are depends on what else is built.
        _ => Err((1, "a template has fields, if and for, nothing else".to_owned())),
    }
}

fn block(line: u16, what: &str) -> Fault {
    (line, format!("“{what}” is not for templates: they have fields, if and for"))
}

/// Looks at an expression. What is looped over must not grow: each loop would double it.
fn expression(tree: &Expr<'_>, depth: usize, is_looped: bool) -> Result<(), Fault> {
    let line = tree.span().start_line;
    if depth > DEPTH_MAX {
        return Err((line, "it is nested too deep".to_owned()));
    }
    let below = |part: &Expr<'_>| expression(part, depth + 1, is_looped);
    let maybe = |part: &Option<Expr<'_>>| part.as_ref().map_or(Ok(()), below);
    match tree {
        Expr::Var(_) | Expr::Const(_) => Ok(()),
        Expr::Slice(slice) => {
            below(&slice.expr)?;
            [&slice.start, &slice.stop, &slice.step].into_iter().try_for_each(maybe)
        }
        Expr::UnaryOp(one) => below(&one.expr),
        Expr::BinOp(both) => {
            operator(both.op, &both.left, &both.right, is_looped).map_err(|what| (line, what))?;
            below(&both.left)?;
            below(&both.right)
        }
        Expr::Compare(compared) => {
            below(&compared.expr)?;
            compared.ops.iter().try_for_each(|one| below(&one.expr))
        }
        Expr::IfExpr(choice) => {
            below(&choice.test_expr)?;
            below(&choice.true_expr)?;
            maybe(&choice.false_expr)
        }
        Expr::Filter(filter) => {
            known(&FILTERS, "filter", filter.name).map_err(|what| (line, what))?;
            maybe(&filter.expr)?;
            arguments(&filter.args, line, &below)
        }
        Expr::Test(test) => {
            known(&TESTS, "test", test.name).map_err(|what| (line, what))?;
            below(&test.expr)?;
            arguments(&test.args, line, &below)
        }
        Expr::GetAttr(member) => below(&member.expr),
        Expr::GetItem(item) => {
            below(&item.expr)?;
            below(&item.subscript_expr)
        }
        Expr::List(list) => listed(&list.items, line, is_looped, &below),
        Expr::Tuple(list) => listed(&list.items, line, is_looped, &below),
        Expr::Call(call) => match &call.expr {
            Expr::Var(name) => Err((line, format!("there is no function “{}”", name.id))),
            _ => Err((line, "there are no functions".to_owned())),
        },
        Expr::Map(_) => Err((line, "there are no maps".to_owned())),
    }
}

fn known(names: &[&str], noun: &str, name: &str) -> Result<(), String> {
    match names.contains(&name) {
        true => Ok(()),
        false => Err(format!("there is no {noun} “{name}”")),
    }
}

fn arguments(
    arguments: &[CallArg<'_>],
    line: u16,
    below: &impl Fn(&Expr<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    arguments.iter().try_for_each(|one| match one {
        CallArg::Pos(part) | CallArg::Kwarg(_, part) => below(part),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
            Err((line, "arguments are written out".to_owned()))
        }
    })
}

fn listed(
    items: &[Expr<'_>],
    line: u16,
    is_looped: bool,
    below: &impl Fn(&Expr<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if is_looped && !items.iter().all(|item| matches!(item, Expr::Const(_))) {
        return Err((line, "a list that is looped over in place holds fixed values".to_owned()));
    }
    items.iter().try_for_each(below)
}

fn operator(
    kind: BinOpKind,
    left: &Expr<'_>,
    right: &Expr<'_>,
    is_looped: bool,
) -> Result<(), String> {
    let grows = matches!(kind, BinOpKind::Add | BinOpKind::Mul | BinOpKind::Concat);
    if grows && is_looped {
        return Err("what is looped over in place is a field, and nothing joined to it".to_owned());
    }
    let is_number = |part: &Expr<'_>| match part {
        Expr::Const(fixed) => fixed.value.as_i64().is_some_and(|number| number.abs() <= TIMES_MAX),
        _ => false,
    };
    let is_field = |part: &Expr<'_>| {
        matches!(part, Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_)) || is_number(part)
    };
    match kind {
        BinOpKind::Pow => Err("there is no “**”".to_owned()),
        BinOpKind::Mul
            if !((is_number(left) && is_field(right)) || (is_field(left) && is_number(right))) =>
        {
            Err(format!("“*” is for a field and a number of at most {TIMES_MAX}"))
        }
        _ => Ok(()),
    }
}
