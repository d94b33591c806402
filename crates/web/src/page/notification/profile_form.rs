//! The form of a profile: whom, by which channels, how often, in which bundles, when not, who next.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chancery_engine::automation::Class;
use chancery_engine::delivery::Class as Destination;
use chancery_engine::notification::{ALL, BELL, DAYS, LEVELS_MAX, Preview};
use chancery_engine::{Error, Permission};
use chancery_event::Severity;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::profile::{href, shown};
use crate::edge::{Access, Problem, Routes};
use crate::page::form::Fields;
use crate::page::past_event;
use crate::page::shell::Shell;
use crate::page::typed::Typed;
use crate::page::{GET, POST};
use crate::ui::{self, AlertKind, ChoiceOption, Crumb, Field, Nav, Tone};

const CLASS: Class = Class::Profile;
/// Levels of escalation that the form shows at least; one more than are filled in.
const LEVELS_SHOWN: usize = 3;

pub(super) fn add(routes: &mut Routes) {
    let write = Access::Session(Permission::AutomationWrite);
    routes.add(GET, "/notifications/profiles/new", write, async |shell: Shell| {
        let typed = Typed::default()
            .or("recipients", "default")
            .or("fallback", "role:administrator")
            .or("enabled", "1");
        shell.answer(form(&shell, None, typed)).await
    });
    routes.add(
        POST,
        "/notifications/profiles/new",
        write,
        async |shell: Shell, Fields(typed): Fields| shell.answer(save(&shell, None, typed)).await,
    );
    routes.add(
        GET,
        "/notifications/profiles/{name}/edit",
        write,
        async |shell: Shell, Path(name): Path<String>| {
            shell
                .answer(async {
                    let (engine, context) = (shell.engine(), shell.context());
                    let object = engine.automation_object(context, CLASS, &name).await?;
                    let mut typed = fill(&object.body).or("version", object.version.to_string());
                    if object.enabled {
                        typed = typed.or("enabled", "1");
                    }
                    form(&shell, Some(&name), typed).await
                })
                .await
        },
    );
    routes.add(
        POST,
        "/notifications/profiles/{name}/edit",
        write,
        async |shell: Shell, Path(name): Path<String>, Fields(typed): Fields| {
            shell.answer(save(&shell, Some(&name), typed)).await
        },
    );
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn fill(body: &Value) -> Typed {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut typed = Typed::default()
        .or("recipients", texts(&body["recipients"]).join("\n"))
        .or("fallback", texts(&body["fallback"]).join("\n"))
        .or_all("channels", texts(&body["channels"]));
    for member in ["title", "description", "template", "frequency", "repetitions"] {
        typed = typed.or(member, text(&body[member]));
    }
    for member in ["cron", "time_zone", "group_by"] {
        typed = typed.or(&format!("digest/{member}"), text(&body["digest"][member]));
    }
    typed = typed.or_all("digest/except", texts(&body["digest"]["except"]));
    for member in ["from", "to", "time_zone"] {
        typed = typed.or(&format!("quiet_hours/{member}"), text(&body["quiet_hours"][member]));
    }
    for member in ["days", "whole_days", "except"] {
        let all = texts(&body["quiet_hours"][member]);
        typed = typed.or_all(&format!("quiet_hours/{member}"), all);
    }
    for (number, level) in body["escalation"].as_array().into_iter().flatten().enumerate() {
        typed = typed
            .or(&format!("level{number}/after"), text(&level["after"]))
            .or(&format!("level{number}/recipients"), texts(&level["recipients"]).join("\n"))
            .or(&format!("level{number}/channels"), texts(&level["channels"]).join("\n"));
    }
    typed
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What was typed as the body of a profile.
fn body(typed: &Typed) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    for member in ["title", "description", "template", "frequency"] {
        if let Some(text) = typed.some(member) {
            put(member, text.into());
        }
    }
    if let Some(text) = typed.some("repetitions") {
        put("repetitions", text.parse::<i64>().map_or_else(|_| text.into(), Value::from));
    }
    put("recipients", json!(lines(typed.text("recipients"))));
    put("fallback", json!(lines(typed.text("fallback"))));
    put("channels", json!(typed.all("channels")));
    if let Some(digest) = typed_digest(typed) {
        put("digest", digest);
    }
    if let Some(quiet) = typed_quiet(typed) {
        put("quiet_hours", quiet);
    }
    let level = |number: usize| {
        let at = |member: &str| format!("level{number}/{member}");
        json!({ "after": typed.some(&at("after")),
            "recipients": lines(typed.text(&at("recipients"))),
            "channels": lines(typed.text(&at("channels"))) })
    };
    let levels: Vec<Value> = levels(typed).into_iter().map(level).collect();
    if !levels.is_empty() {
        put("escalation", levels.into());
    }
    Value::Object(body)
}

/// What was typed of a digest. Something typed of it alone is kept, so that saving says what is
/// missing; the heading that stands first is chosen by nobody.
fn typed_digest(typed: &Typed) -> Option<Value> {
    let except = typed.all("digest/except");
    let mut digest = json!({ "except": except });
    let mut is_typed = !except.is_empty();
    for member in ["cron", "time_zone", "group_by"] {
        if let Some(text) = typed.some(&format!("digest/{member}")) {
            is_typed |= (member, text.as_str()) != ("group_by", "cause");
            digest[member] = text.into();
        }
    }
    is_typed.then_some(digest)
}

/// What was typed of quiet hours; what is missing of them is said when they are saved.
pub(super) fn typed_quiet(typed: &Typed) -> Option<Value> {
    let (mut quiet, mut is_typed) = (json!({}), false);
    for member in ["from", "to", "time_zone"] {
        if let Some(text) = typed.some(&format!("quiet_hours/{member}")) {
            quiet[member] = text.into();
            is_typed = true;
        }
    }
    for member in ["days", "whole_days", "except"] {
        let all = typed.all(&format!("quiet_hours/{member}"));
        is_typed |= !all.is_empty();
        quiet[member] = json!(all);
    }
    is_typed.then_some(quiet)
}

/// The levels of the form that are filled in.
fn levels(typed: &Typed) -> Vec<usize> {
    let is_filled = |number: &usize| {
        let at = |member: &str| format!("level{number}/{member}");
        ["after", "recipients", "channels"].iter().any(|m| typed.some(&at(m)).is_some())
    };
    (0..LEVELS_MAX).filter(is_filled).collect()
}

/// A fault of the body as one of a field. The body has the levels that are filled in.
fn placed(error: Error, levels: &[usize]) -> Error {
    match error {
        Error::Invalid { field, message } => {
            let parts: Vec<&str> = field.trim_start_matches('/').split('/').collect();
            let field = match parts.as_slice() {
                ["escalation", number, member, ..] => {
                    let place: usize = number.parse().unwrap_or_default();
                    format!("level{}/{member}", levels.get(place).unwrap_or(&place))
                }
                ["escalation", ..] => "level0/after".to_owned(),
                [part @ ("digest" | "quiet_hours"), member, ..] => format!("{part}/{member}"),
                ["digest"] => "digest/cron".to_owned(),
                [member, ..] => (*member).to_owned(),
                [] => String::new(),
            };
            Error::Invalid { field, message }
        }
        error => error,
    }
}

async fn save(shell: &Shell, name: Option<&str>, typed: Typed) -> Result<Response, Problem> {
    if typed.has("do") {
        return form(shell, name, typed).await;
    }
    let (engine, context, enabled) = (shell.engine(), shell.context(), typed.has("enabled"));
    let wanted = name.map_or_else(|| typed.text("name").to_owned(), str::to_owned);
    let body = body(&typed);
    let saved = match name {
        None => engine.create_automation(context, CLASS, &wanted, body, enabled).await,
        Some(name) => {
            let version = typed.text("version").parse().ok();
            engine.update_automation(context, CLASS, name, version, body, enabled).await
        }
    };
    match saved {
        Ok(_) => Ok(shell.done(&href(&wanted), "Saved.")),
        Err(error) => {
            let levels = levels(&typed);
            form(shell, name, typed.refused(placed(error, &levels))?).await
        }
    }
}

fn known_fields() -> Vec<String> {
    let mut known: Vec<String> = [
        "name",
        "title",
        "description",
        "recipients",
        "fallback",
        "channels",
        "template",
        "frequency",
        "repetitions",
        "digest/cron",
        "digest/time_zone",
        "digest/group_by",
        "digest/except",
        "quiet_hours/from",
        "quiet_hours/to",
        "quiet_hours/time_zone",
        "quiet_hours/days",
        "quiet_hours/whole_days",
        "quiet_hours/except",
        past_event::NAME,
    ]
    .map(str::to_owned)
    .into();
    for number in 0..LEVELS_MAX {
        known.extend(["after", "recipients", "channels"].map(|m| format!("level{number}/{m}")));
    }
    known
}

async fn form(shell: &Shell, name: Option<&str>, typed: Typed) -> Result<Response, Problem> {
    let (engine, context) = (shell.engine(), shell.context());
    let title = name.map_or_else(|| "New profile".to_owned(), |name| format!("Change {name}"));
    let action = match name {
        None => "/notifications/profiles/new".to_owned(),
        Some(name) => format!("{}/edit", href(name)),
    };
    let channels = engine.destinations(context, Destination::Channel).await?;
    let templates = engine.automation(context, Class::Template).await?;
    let preview = match typed.is_refused() {
        true => html! {},
        false => match preview(shell, name, &typed).await {
            Ok(preview) => shown(&preview),
            Err(error) => html! { p.muted { (error) } },
        },
    };
    let known = known_fields();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let channels: Vec<(String, String)> = channels
        .iter()
        .map(|view| (view.row.name.clone(), format!("{} ({})", view.row.name, view.row.kind)))
        .collect();
    let names = boxes(&typed, channels);
    let body = html! {
        (ui::breadcrumbs(&[
            Crumb { label: "Notification profiles", href: Some("/notifications/profiles") },
            Crumb { label: &title, href: None },
        ]))
        (ui::page_header(&title, "Whom, by which channels, how often, and who comes next.", html! {}))
        @if let Some(error) = typed.general_error(&known) { (ui::alert_box(AlertKind::Error, error)) }
        (ui::previewed_form(&action, shell.csrf(), "preview", html! {
            @if let Some(version) = typed.some("version") { input type="hidden" name="version" value=(version); }
            @if name.is_none() {
                (ui::field(&Field { required: true, autocomplete: "off",
                    ..typed.field("name", "name", "Name", "Its identity, which never changes: words of a-z and 0-9 joined by - or . as in on-call.") }))
            }
            (ui::field(&typed.field("title", "title", "Title", "What people read.")))
            (ui::text_area(&typed.field("description", "description", "What it is for", ""), 2, false))
            (ui::section("whom", "Whom, and by what", html! {}, whom(&typed, &names)))
            (ui::section("how", "How it reads, and how often", html! {}, how(&typed, &templates.iter().map(|one| one.name.as_str()).collect::<Vec<_>>())))
            (ui::section("digest-part", "One message for many", html! {}, digest(&typed)))
            (ui::section("quiet-part", "Quiet hours", html! {}, quiet(&typed)))
            (ui::section("next", "When nobody acknowledges", html! {}, escalation(&typed)))
            (past_event::field(typed.text(past_event::NAME)))
            div.actions { button type="submit" name="do" value="preview" formnovalidate { "Whom would it tell?" } }
            div id="preview" aria-live="polite" { (preview) }
            (tick("enabled", "enabled", "1", "Switched on", typed.has("enabled")))
            div.actions { (ui::submit("Save", Tone::Info)) (ui::button("Back", "/notifications/profiles", None, false)) }
        }))
    };
    let mut response = shell.page(Nav::Notifications, &title, body);
    if typed.is_refused() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// What the profile would do as it stands in the form.
async fn preview(shell: &Shell, name: Option<&str>, typed: &Typed) -> Result<Preview, Error> {
    let event = past_event::named(shell, typed.text(past_event::NAME)).await?;
    let (engine, context) = (shell.engine(), shell.context());
    engine.preview_notification(context, name, Some(body(typed)), None, event).await
}

/// The boxes for channels: a name that is ticked has one, also where the channel behind it is not
/// for the eyes of who fills in the form; without its box, saving would take it away.
fn boxes(typed: &Typed, channels: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut boxes = vec![
        (BELL.to_owned(), "The bell of this program".to_owned()),
        (ALL.to_owned(), "Every channel that is on, also one that is made later".to_owned()),
    ];
    boxes.extend(channels);
    for name in typed.all("channels") {
        if !boxes.iter().any(|(known, _)| *known == name) {
            boxes.push((name.clone(), name));
        }
    }
    boxes
}

fn tick(id: &str, name: &str, value: &str, label: &str, checked: bool) -> Markup {
    ui::check_field(&Field { id, name, label, value, ..Field::default() }, checked)
}

/// Boxes for several values of one field.
fn ticks(
    typed: &Typed,
    name: &str,
    legend: &str,
    hint: &str,
    values: &[(String, String)],
) -> Markup {
    let chosen = typed.all(name);
    let stem = name.replace(['/', '_'], "-");
    html! { fieldset {
        legend { (legend) }
        @if !hint.is_empty() { p.hint { (hint) } }
        @if !typed.error(name).is_empty() { p.field-error { (typed.error(name)) } }
        @for (value, label) in values {
            (tick(&format!("{stem}-{value}"), name, value, label, chosen.contains(value)))
        }
    } }
}

fn words(words: &[&str]) -> Vec<(String, String)> {
    words.iter().map(|word| ((*word).to_owned(), (*word).to_owned())).collect()
}

fn severities() -> Vec<(String, String)> {
    words(&Severity::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>())
}

fn whom(typed: &Typed, channels: &[(String, String)]) -> Markup {
    let recipients = Field { required: true, ..typed.field("recipients", "recipients", "Recipients",
        "One a line: default (whom the event concerns), owner, groups, account:NAME, role:operator, group:NAME, object_contact:ATTRIBUTE, address:MAIL; or none, for channels with a receiver of their own.") };
    html! {
        (ui::text_area(&recipients, 4, true))
        (ui::text_area(&typed.field("fallback", "fallback", "If that reaches nobody", "One a line. They count apart in the coverage: who hears of everything hears of nothing."), 2, true))
        (ticks(typed, "channels", "Channels", "None ticked: the bell and every mail channel.", channels))
    }
}

fn how(typed: &Typed, templates: &[&str]) -> Markup {
    let mut options = vec![ChoiceOption { value: "", label: "The built-in one" }];
    options.extend(templates.iter().map(|name| ChoiceOption { value: name, label: name }));
    html! {
        (ui::select_field(&typed.field("template", "template", "Template", ""), &options))
        (ui::field(&typed.field("frequency", "frequency", "Not again within", "Such as 24h or 7d, for the same thing: object, event type and threshold. Empty: each time.")))
        (ui::field(&Field { kind: "number", ..typed.field("repetitions", "repetitions", "At most so often", "For the same thing. It begins anew when its alert was resolved, when this profile's numbers change, or after 30 days without it.") }))
    }
}

fn digest(typed: &Typed) -> Markup {
    let groups = [
        ChoiceOption { value: "cause", label: "What happened" },
        ChoiceOption { value: "team", label: "Groups of the certificate" },
        ChoiceOption { value: "owner", label: "Owner of the certificate" },
    ];
    html! {
        (ui::field(&typed.field("digest-cron", "digest/cron", "Sent at", "A cron expression such as 0 8 * * MON-FRI. Empty: each notice by itself, at once.")))
        (ui::field(&typed.field("digest-time-zone", "digest/time_zone", "Time zone of the digest", "Such as Europe/Prague. Empty: UTC.")))
        (ui::select_field(&typed.field("digest-group-by", "digest/group_by", "Under headings by", ""), &groups))
        (ticks(typed, "digest/except", "Does not wait for the digest", "", &severities()))
    }
}

fn quiet(typed: &Typed) -> Markup {
    html! {
        p.hint { "What comes meanwhile is sent at their end. The bell is never quiet, because it wakes nobody." }
        (ui::field(&typed.field("quiet-hours-from", "quiet_hours/from", "From", "Such as 22:00. Empty: whole days alone, or no quiet hours.")))
        (ui::field(&typed.field("quiet-hours-to", "quiet_hours/to", "To", "Such as 07:00; may be on the next day.")))
        (ui::field(&typed.field("quiet-hours-time-zone", "quiet_hours/time_zone", "Time zone of quiet hours", "Such as Europe/Prague. Empty: UTC.")))
        (ticks(typed, "quiet_hours/days", "On these days", "The hours above. None ticked: every day.", &words(&DAYS)))
        (ticks(typed, "quiet_hours/whole_days", "Quiet all day", "Whatever the hours are, or without any.", &words(&DAYS)))
        (ticks(typed, "quiet_hours/except", "Gets through at any hour", "", &severities()))
    }
}

fn escalation(typed: &Typed) -> Markup {
    let last = levels(typed).last().map_or(0, |last| last + 2);
    html! {
        p.hint { "A notification opens an alert. If nobody acknowledges, assigns, snoozes or resolves it in time, the next ones are told; neither quiet hours nor a digest hold that up." }
        @for number in 0..last.clamp(LEVELS_SHOWN, LEVELS_MAX) {
            @let place = number + 1;
            @let at = |member: &str| format!("level{number}/{member}");
            @let (after, recipients, channels) = (at("after"), at("recipients"), at("channels"));
            @let ids = [format!("level-{number}-after"), format!("level-{number}-recipients"), format!("level-{number}-channels")];
            fieldset {
                legend { "Level " (place) }
                (ui::field(&typed.field(&ids[0], &after, &format!("After (level {place})"), "Such as 30m or 2h.")))
                (ui::text_area(&typed.field(&ids[1], &recipients, &format!("Recipients (level {place})"), "One a line, as above."), 2, true))
                (ui::text_area(&typed.field(&ids[2], &channels, &format!("Channels (level {place})"), "One a line. Empty: those of the profile."), 1, true))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_survives_its_form() {
        let wanted = json!({ "title": "T", "recipients": ["owner", "role:operator"],
            "fallback": ["role:administrator"], "channels": ["bell", "mail"], "template": "short",
            "frequency": "24h", "repetitions": 3,
            "digest": { "cron": "0 8 * * *", "time_zone": "Europe/Prague", "group_by": "team",
                "except": ["critical"] },
            "quiet_hours": { "from": "22:00", "to": "07:00", "time_zone": "Europe/Prague",
                "days": ["mon"], "whole_days": ["sun"], "except": ["critical"] },
            "escalation": [{ "after": "30m", "recipients": ["role:administrator"],
                "channels": ["pager"] }] });
        assert_eq!(body(&fill(&wanted)), wanted);
        let level = json!({ "after": "30m", "recipients": ["owner"], "channels": [] });
        let wanted = json!({ "recipients": ["owner"], "fallback": [], "channels": [],
            "escalation": [level, level, level, level, level] });
        assert_eq!(body(&fill(&wanted)), wanted, "as many levels as a profile may have");
    }

    #[test]
    fn faults_find_their_field() {
        for (pointer, field) in [
            ("/recipients/0", "recipients"),
            ("/digest/cron", "digest/cron"),
            ("/quiet_hours/from", "quiet_hours/from"),
            ("/escalation/1/after", "level1/after"),
            ("/escalation/0/recipients/0", "level0/recipients"),
            ("name", "name"),
        ] {
            match placed(Error::invalid(pointer, "m"), &[0, 1]) {
                Error::Invalid { field: found, .. } => assert_eq!(found, field),
                error => panic!("{error}"),
            }
        }
        // The first level of the form is empty: what is wrong stands in the second.
        let typed = Typed::default().or("level1/after", "soon").or("level1/recipients", "owner");
        match placed(Error::invalid("/escalation/0/after", "m"), &levels(&typed)) {
            Error::Invalid { field, .. } => assert_eq!(field, "level1/after"),
            error => panic!("{error}"),
        }
    }
}
