//! Saved views of a list: its address under a name, for oneself or for all.

use axum::extract::Path;
use axum::response::Response;
use chancery_engine::Permission;
use chancery_engine::view::LISTS;
use chancery_event::id::ViewId;
use maud::{Markup, html};

use super::form::Fields;
use super::listing::CURSORS;
use super::shell::Shell;
use super::{POST, typed::Typed};
use crate::edge::{Access, Problem, Routes, path_of};
use crate::ui::{self, Field, Tone};

pub(super) fn add(routes: &mut Routes) {
    let access = Access::Session(Permission::OwnWrite);
    routes.add(POST, "/views", access, save);
    routes.add(POST, "/views/{id}/delete", access, delete);
}

/// The page of a list.
fn page_of(list: &str) -> String {
    match list {
        "evaluations" => "/automation/history".to_owned(),
        "accounts" => "/administration".to_owned(),
        "tokens" => "/administration/tokens".to_owned(),
        "notices" => "/notifications/notices".to_owned(),
        "triggers" => "/automation".to_owned(),
        "rules" | "actions" | "scopes" => format!("/automation/{list}"),
        "notification_profiles" => "/notifications/profiles".to_owned(),
        "notification_templates" => "/notifications/templates".to_owned(),
        list => format!("/{list}"),
    }
}

/// The views of a list, and the form that saves what is shown now.
pub(super) async fn panel(shell: &Shell, list: &str) -> Result<Markup, Problem> {
    let views = shell.engine().views(shell.context(), list).await?;
    let query = shell.address.without(CURSORS).query();
    let name =
        Field { id: "view-name", name: "name", label: "Name", required: true, ..Field::default() };
    let shared = Field {
        id: "view-shared",
        name: "shared",
        label: "Others see it too",
        value: "1",
        ..Field::default()
    };
    Ok(html! {
        aside.facets.views aria-label="Saved views" {
            details open {
                summary { "Saved views" }
                @if views.is_empty() { p.hint { "None yet. A view keeps search, time and order." } }
                ul { @for view in &views {
                    li.view {
                        a href={(page_of(list)) "?" (view.query)} aria-current=[(view.query == query).then_some("true")] {
                            (view.name)
                        }
                        @if view.shared { " " span.muted { "shared" } }
                        @if view.own {
                            form.inline method="post" action={"/views/" (view.id) "/delete"} {
                                (ui::csrf_input(shell.csrf()))
                                input type="hidden" name="list" value=(list);
                                button.quiet type="submit" title="Delete this view" {
                                    (ui::icon(ui::Icon::Cross))
                                    span.visually-hidden { "Delete " (view.name) }
                                }
                            }
                        }
                    }
                } }
            }
            details {
                summary { "Save this view" }
                (ui::post_form("/views", shell.csrf(), false, html! {
                    input type="hidden" name="list" value=(list);
                    input type="hidden" name="query" value=(query);
                    (ui::field(&name)) (ui::check_field(&shared, false))
                    (ui::submit("Save", Tone::Info))
                }))
            }
        }
    })
}

fn list_of(typed: &Typed) -> Result<&'static str, Problem> {
    let list = LISTS.into_iter().find(|list| *list == typed.text("list"));
    list.ok_or_else(|| Problem::malformed("there is no such list"))
}

async fn save(shell: Shell, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let list = list_of(&typed)?;
            let query = typed.text("query");
            let new = chancery_engine::view::NewView {
                list: list.to_owned(),
                name: typed.text("name").to_owned(),
                query: query.to_owned(),
                shared: typed.has("shared"),
            };
            shell.engine().create_view(shell.context(), new).await?;
            let notice = format!("The view “{}” is saved.", typed.text("name"));
            Ok(shell.done(&format!("{}?{query}", page_of(list)), &notice))
        })
        .await
}

async fn delete(shell: Shell, Path(id): Path<String>, Fields(typed): Fields) -> Response {
    shell
        .answer(async {
            let list = list_of(&typed)?;
            shell.engine().delete_view(shell.context(), path_of::<ViewId>(&id)?).await?;
            Ok(shell.done(&page_of(list), "The view is deleted."))
        })
        .await
}
