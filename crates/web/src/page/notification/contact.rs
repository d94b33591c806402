//! How accounts and groups are reached: one's own, somebody else's, a group's with its members.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::configuration::LabelClass;
use chancery_engine::notification::{Contact, DAYS};
use chancery_engine::{Error, Permission};
use chancery_event::Severity;
use chancery_event::id::{AccountId, GroupId};
use maud::{Markup, html};

use super::profile_form::typed_quiet;
use crate::edge::{Access, Problem, Routes, path_of};
use crate::page::form::Fields;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, Crumb, Field, Nav, Tone};

const FIELDS: [&str; 9] = [
    "email",
    "chat",
    "quiet_hours/from",
    "quiet_hours/to",
    "quiet_hours/time_zone",
    "quiet_hours/days",
    "quiet_hours/whole_days",
    "quiet_hours/except",
    "members",
];

pub(super) fn add(routes: &mut Routes) {
    let own = Access::Session(Permission::OwnWrite);
    let accounts = Access::Session(Permission::AccountWrite);
    let groups = Access::Session(Permission::ConfigurationWrite);
    routes.add(GET, "/account/contact", own, async |shell: Shell| {
        shell.answer(async { show(&shell, Whose::own(&shell)?, None).await }).await
    });
    routes.add(POST, "/account/contact", own, async |shell: Shell, Fields(typed): Fields| {
        shell.answer(async { save(&shell, Whose::own(&shell)?, typed).await }).await
    });
    routes.add(
        GET,
        "/administration/accounts/{id}/contact",
        accounts,
        async |shell: Shell, Path(id): Path<String>| {
            shell.answer(async { show(&shell, Whose::Account(path_of(&id)?), None).await }).await
        },
    );
    routes.add(
        POST,
        "/administration/accounts/{id}/contact",
        accounts,
        async |shell: Shell, Path(id): Path<String>, Fields(typed): Fields| {
            shell.answer(async { save(&shell, Whose::Account(path_of(&id)?), typed).await }).await
        },
    );
    routes.add(
        GET,
        "/administration/groups/{id}/contact",
        groups,
        async |shell: Shell, Path(id): Path<String>| {
            shell.answer(async { show(&shell, Whose::Group(path_of(&id)?), None).await }).await
        },
    );
    routes.add(
        POST,
        "/administration/groups/{id}/contact",
        groups,
        async |shell: Shell, Path(id): Path<String>, Fields(typed): Fields| {
            shell.answer(async { save(&shell, Whose::Group(path_of(&id)?), typed).await }).await
        },
    );
}

/// Whose contact data.
#[derive(Clone, Copy)]
enum Whose {
    Own(AccountId),
    Account(AccountId),
    Group(GroupId),
}

impl Whose {
    fn own(shell: &Shell) -> Result<Self, Problem> {
        shell.context().account_id().map(Self::Own).ok_or_else(Problem::unauthenticated)
    }

    fn path(self) -> String {
        match self {
            Self::Own(_) => "/account/contact".to_owned(),
            Self::Account(id) => format!("/administration/accounts/{id}/contact"),
            Self::Group(id) => format!("/administration/groups/{id}/contact"),
        }
    }

    fn nav(self) -> Nav {
        match self {
            Self::Own(_) => Nav::Elsewhere,
            _ => Nav::Administration,
        }
    }
}

fn fill(contact: &Contact) -> Typed {
    let quiet = &contact.quiet_hours;
    let text = |member: &str| quiet[member].as_str().unwrap_or_default().to_owned();
    let all = |member: &str| -> Vec<String> {
        let items = quiet[member].as_array().into_iter().flatten();
        items.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    Typed::default()
        .or("email", contact.email.clone().unwrap_or_default())
        .or("chat", contact.chat.clone().unwrap_or_default())
        .or("quiet_hours/from", text("from"))
        .or("quiet_hours/to", text("to"))
        // Kept where nobody typed one: who takes the hours away need not take that away too.
        .or(
            "quiet_hours/time_zone",
            Some(text("time_zone")).filter(|z| z != "UTC").unwrap_or_default(),
        )
        .or_all("quiet_hours/days", all("days"))
        .or_all("quiet_hours/whole_days", all("whole_days"))
        .or_all("quiet_hours/except", all("except"))
}

fn contact(typed: &Typed) -> Contact {
    let quiet_hours = typed_quiet(typed).unwrap_or_default();
    Contact { email: typed.some("email"), chat: typed.some("chat"), quiet_hours }
}

async fn show(shell: &Shell, whose: Whose, refused: Option<Typed>) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let (title, crumbs, known) = match whose {
        Whose::Own(id) => {
            let known = fill(&engine.contact(context, id).await?);
            ("How you are reached".to_owned(), ("Your account", "/account".to_owned()), known)
        }
        Whose::Account(id) => {
            let known = fill(&engine.contact(context, id).await?);
            let account = engine.account(context, id).await?;
            let back = format!("/administration/accounts/{id}");
            (format!("How {} is reached", account.name), ("Account", back), known)
        }
        Whose::Group(id) => {
            let found = engine.group_contact(context, id).await?;
            let names: Vec<String> = found.members.into_iter().map(|(_, name)| name).collect();
            let known = fill(&found.contact).or("members", names.join("\n"));
            let labels = engine.labels(context, LabelClass::Group).await?;
            let label = labels.into_iter().find(|label| label.id == id.to_string());
            let name = label.map(|label| label.name).unwrap_or_default();
            let back = format!("/administration/groups/{id}");
            (format!("How {name} is reached"), ("Group", back), known)
        }
    };
    let typed = refused.unwrap_or(known);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: crumbs.0, href: Some(&crumbs.1) },
            Crumb { label: "Contact", href: None },
        ]))
        (ui::page_header(&title, "Where notifications go, and when they wait.", html! {}))
        @if let Some(error) = typed.general_error(&FIELDS) { (ui::alert_box(AlertKind::Error, error)) }
        (ui::post_form(&whose.path(), shell.csrf(), false, fields(&typed, whose)))
    };
    let mut response = shell.page(whose.nav(), &title, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn fields(typed: &Typed, whose: Whose) -> Markup {
    let is_group = matches!(whose, Whose::Group(_));
    let email = match is_group {
        true => "The address of its list. Members hear by themselves as well.",
        false => "Only where it is another one than the account's.",
    };
    let severities: Vec<&str> = Severity::ALL.iter().map(|one| one.as_str()).collect();
    html! {
        (ui::field(&Field { kind: "email", autocomplete: "off", ..typed.field("email", "email", "Mail address", email) }))
        (ui::field(&typed.field("chat", "chat", "Chat handle", "How chats mention them, such as <@U024BE7LH> in Slack.")))
        @if is_group {
            (ui::text_area(&typed.field("members", "members", "Members", "Login names, one a line."), 6, true))
        }
        (ui::section("quiet", "Quiet hours", html! {}, html! {
            p.hint { "What comes meanwhile is sent at their end. Those of the notification profile count as well." }
            (ui::field(&typed.field("quiet-from", "quiet_hours/from", "From", "Such as 22:00. Empty: whole days alone, or none.")))
            (ui::field(&typed.field("quiet-to", "quiet_hours/to", "To", "Such as 07:00.")))
            (ui::field(&typed.field("quiet-zone", "quiet_hours/time_zone", "Time zone", "Such as Europe/Prague. Empty: UTC.")))
            (ticks(typed, "days", "On these days (none ticked: every day)", &DAYS))
            (ticks(typed, "whole_days", "Quiet all day", &DAYS))
            (ticks(typed, "except", "Gets through at any hour", &severities))
        }))
        div.actions { (ui::submit("Save", Tone::Info)) }
    }
}

/// Boxes for several values of one member of the quiet hours.
fn ticks(typed: &Typed, member: &str, legend: &str, words: &[&str]) -> Markup {
    let name = format!("quiet_hours/{member}");
    let chosen = typed.all(&name);
    html! { fieldset { legend { (legend) }
        @if !typed.error(&name).is_empty() { p.field-error { (typed.error(&name)) } }
        @for word in words {
            @let id = format!("{}-{word}", member.replace('_', "-"));
            (ui::check_field(&Field { id: &id, name: &name, label: word, value: word, ..Field::default() },
                chosen.iter().any(|one| one == word)))
        }
    } }
}

async fn save(shell: &Shell, whose: Whose, typed: Typed) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let contact = contact(&typed);
    let saved = match whose {
        Whose::Own(id) | Whose::Account(id) => engine.set_contact(context, id, contact).await,
        Whose::Group(id) => {
            let members = typed.text("members").lines().map(str::trim);
            let members = members.filter(|line| !line.is_empty()).map(str::to_owned).collect();
            engine.set_group_contact(context, id, contact, members).await
        }
    };
    match saved {
        Ok(()) => Ok(shell.done(&whose.path(), "Saved.")),
        Err(error) => show(shell, whose, Some(typed.refused(placed(error))?)).await,
    }
}

/// Lists stand in one field.
fn placed(error: Error) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let whole = match field.rsplit_once('/') {
                Some((list, entry)) if entry.bytes().all(|byte| byte.is_ascii_digit()) => list,
                _ => field.as_str(),
            };
            Error::Invalid { field: whole.to_owned(), message }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quiet_hours_survive_their_form() {
        let wanted = Contact {
            email: Some("ada@example.org".to_owned()),
            chat: Some("@ada".to_owned()),
            quiet_hours: json!({ "from": "22:00", "to": "07:00", "time_zone": "Europe/Prague",
                "days": ["mon", "tue"], "whole_days": ["sun"], "except": ["critical"] }),
        };
        assert_eq!(contact(&fill(&wanted)), wanted);
    }
}
