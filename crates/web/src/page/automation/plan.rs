//! What a file would change, object by object, with what each says before and after.

use chancery_engine::automation::file::{Doing, Planned};
use chancery_engine::automation::{Book, Class};
use maud::{Markup, html};
use serde_json::Value;

use crate::page::shell::Shell;
use crate::page::{task, version_list};
use crate::ui::{self, Column, Icon, Row, Table, Tone};

/// How many objects are made, changed and deleted, as a clause.
pub(super) fn counted(planned: &[Planned]) -> String {
    let parts = [(Doing::Create, "new"), (Doing::Update, "changed"), (Doing::Delete, "deleted")];
    let parts = parts.map(|(doing, word)| {
        let count = planned.iter().filter(|one| one.doing == doing).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{}: {}", changes(planned.len()), parts.join(", "))
}

/// “1 change”, “2 changes”.
pub(super) fn changes(count: usize) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

/// The changes, each with what is different from the book of the revision they were planned for.
pub(super) async fn table(
    shell: &Shell,
    revision: i64,
    planned: &[Planned],
) -> Result<Markup, crate::edge::Problem> {
    let before = shell.engine().automation_at(shell.context(), revision).await?;
    let columns = [Column::new("Object"), Column::new("Change"), Column::new("What is different")];
    let rows: Vec<_> = planned.iter().map(|one| row(&before, one)).collect();
    Ok(ui::data_table(&Table {
        id: "planned",
        caption: "What the file would change",
        columns: &columns,
        rows: &rows,
    }))
}

fn row(before: &Book, planned: &Planned) -> Row {
    let edit = &planned.edit;
    let class = edit.class.as_str().replace('_', " ");
    let old = before.find(edit.class, &edit.name);
    let state = match planned.doing {
        Doing::Create => ui::badge(Tone::Good, Icon::Plus, "New"),
        Doing::Update => ui::badge(Tone::Info, Icon::Administration, "Changed"),
        Doing::Delete => ui::badge(Tone::Bad, Icon::Cross, "Deleted"),
    };
    let differences = match (old, &edit.body) {
        (Some(old), Some(new)) => {
            version_list::differences((old.enabled, &old.body), (edit.enabled, new))
        }
        (None, Some(new)) => version_list::differences((true, &Value::Null), (edit.enabled, new)),
        (_, None) => html! { span.muted { "All of it goes; its versions stay on record." } },
    };
    Row {
        href: old.map(|_| page(edit.class, &edit.name)),
        tone: (planned.doing == Doing::Delete).then_some(Tone::Bad),
        cells: vec![html! { (class) " " (edit.name) }, state, differences],
    }
}

/// The page of an object of any class.
fn page(class: Class, name: &str) -> String {
    match class {
        Class::Monitor | Class::Schedule => format!("{}/{name}", task::path(class)),
        Class::Profile => format!("/notifications/profiles/{name}"),
        Class::Template => format!("/notifications/templates/{name}"),
        class => super::href(class, name),
    }
}
