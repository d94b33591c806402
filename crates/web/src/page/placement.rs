//! The form that says where a certificate belongs: on the upload page and on the certificate's own.

use std::collections::BTreeMap;

use chancery_engine::configuration::LabelClass;
use chancery_engine::inventory::PlacementRequest;
use chancery_engine::row::{Attribute, Label};
use maud::{Markup, html};
use serde_json::Value;

use super::shell::Shell;
use super::typed::Typed;
use crate::edge::Problem;
use crate::ui::{self, ChoiceOption, Field};

/// What the form offers to choose from.
pub(super) struct Choices {
    groups: Vec<Label>,
    profiles: Vec<Label>,
    attributes: Vec<Attribute>,
}

/// Fields of the form that can be to blame; others are told above the form.
pub(super) const FIELDS: &[&str] = &["owner", "groups", "ra_profile", "path", "trust_anchor"];

impl Choices {
    pub(super) async fn read(shell: &Shell) -> Result<Self, Problem> {
        let (engine, context) = (shell.engine(), shell.context());
        Ok(Self {
            groups: engine.labels(context, LabelClass::Group).await?,
            profiles: engine.labels(context, LabelClass::RaProfile).await?,
            attributes: engine.attributes(context).await?,
        })
    }

    /// The fields with what was typed.
    pub(super) fn markup(&self, typed: &Typed) -> Markup {
        let owner = typed.field("owner", "owner", "Owner", "Login name of who answers for it.");
        let path = Field {
            ..typed.field("path", "path", "Path", "The folder it lives in, such as /prod/web.")
        };
        let profile = typed.field("ra-profile", "ra_profile", "RA profile", "");
        let mut profiles = vec![ChoiceOption { value: "", label: "None" }];
        profiles
            .extend(self.profiles.iter().map(|p| ChoiceOption { value: &p.name, label: &p.name }));
        let anchor = Field {
            value: "1",
            ..typed.field(
                "trust-anchor",
                "trust_anchor",
                "Trust anchor",
                "Chains may end at this certificate. Tick it only for roots you trust.",
            )
        };
        html! {
            (ui::field(&owner)) (ui::field(&path)) (ui::select_field(&profile, &profiles))
            (self.groups_field(typed))
            @for attribute in &self.attributes { (attribute_field(attribute, typed)) }
            (ui::check_field(&anchor, typed.text("trust_anchor") == "1"))
        }
    }

    fn groups_field(&self, typed: &Typed) -> Markup {
        let chosen = typed.all("groups");
        html! {
            @if !self.groups.is_empty() {
                fieldset.choices {
                    legend { "Groups " span.muted { "(optional)" } }
                    // Told apart from "none of them is ticked": the form had the field.
                    input type="hidden" name="groups" value="";
                    @for (place, group) in self.groups.iter().enumerate() {
                        (ui::check_field(&Field {
                            id: &format!("group-{place}"),
                            name: "groups",
                            label: &group.name,
                            value: &group.name,
                            ..Field::default()
                        }, chosen.contains(&group.name)))
                    }
                    @if !typed.error("groups").is_empty() { p.field-error { (typed.error("groups")) } }
                }
            }
        }
    }

    /// The wish that was typed. Fields that did not come in stay as they are.
    pub(super) fn wish(&self, typed: &Typed) -> PlacementRequest {
        let given = |name: &str| typed.has(name).then(|| typed.text(name).to_owned());
        let attributes: BTreeMap<String, Value> = self
            .attributes
            .iter()
            .filter(|attribute| typed.has(&attribute_name(attribute)))
            .map(|attribute| (attribute.name.clone(), attribute_value(attribute, typed)))
            .collect();
        PlacementRequest {
            owner: given("owner"),
            groups: typed.has("groups").then(|| typed.all("groups")),
            ra_profile: given("ra_profile"),
            path: given("path"),
            attributes,
            // A box that is not ticked does not come in; the path, which always does, tells that
            // this form was sent.
            trust_anchor: typed.has("path").then(|| typed.has("trust_anchor")),
        }
    }

    /// The wish of an upload: what was left empty is not asked for, and triggers may set it.
    pub(super) fn first_wish(&self, typed: &Typed) -> PlacementRequest {
        let PlacementRequest { owner, groups, ra_profile, path, mut attributes, trust_anchor } =
            self.wish(typed);
        attributes.retain(|_, value| match value {
            Value::String(text) => !text.trim().is_empty(),
            value => !value.is_null(),
        });
        PlacementRequest {
            owner: owner.filter(|owner| !owner.is_empty()),
            groups: groups.filter(|groups| !groups.is_empty()),
            ra_profile: ra_profile.filter(|profile| !profile.is_empty()),
            path: path.filter(|path| !path.is_empty()),
            attributes,
            trust_anchor: trust_anchor.filter(|ticked| *ticked),
        }
    }
}

fn attribute_name(attribute: &Attribute) -> String {
    format!("attributes.{}", attribute.name)
}

fn attribute_value(attribute: &Attribute, typed: &Typed) -> Value {
    let name = attribute_name(attribute);
    let all = typed.all(&name);
    match all.as_slice() {
        [] => Value::Null,
        all if attribute.kind == "list" && !attribute.choices.is_empty() => {
            Value::from(all.to_vec())
        }
        [first, ..] => Value::from(first.clone()),
    }
}

fn attribute_field(attribute: &Attribute, typed: &Typed) -> Markup {
    let name = attribute_name(attribute);
    let id = format!("attribute-{}", attribute.name);
    let mut field = typed.field(&id, &name, &attribute.label, &attribute.description);
    field.required = attribute.required;
    let choice = |value, label| ChoiceOption { value, label };
    match attribute.kind.as_str() {
        "text" => ui::text_area(&field, 3, false),
        "boolean" => ui::select_field(
            &field,
            &[choice("", "—"), choice("true", "Yes"), choice("false", "No")],
        ),
        "list" if !attribute.choices.is_empty() => choices(attribute, &name, &id, typed),
        kind => {
            field.kind = match kind {
                "integer" => "number",
                "date" => "date",
                _ => "text",
            };
            let hint = match kind {
                "datetime" => "RFC 3339, such as 2026-11-21T09:30:00Z.",
                "list" => "Several are separated by commas.",
                _ => "",
            };
            if field.hint.is_empty() {
                field.hint = hint;
            }
            ui::field(&field)
        }
    }
}

fn choices(attribute: &Attribute, name: &str, id: &str, typed: &Typed) -> Markup {
    let chosen = typed.all(name);
    html! {
        fieldset.choices {
            legend {
                (attribute.label)
                @if !attribute.required { " " span.muted { "(optional)" } }
            }
            @if !attribute.description.is_empty() { p.hint { (attribute.description) } }
            input type="hidden" name=(name) value="";
            @for (place, value) in attribute.choices.iter().enumerate() {
                (ui::check_field(&Field {
                    id: &format!("{id}-{place}"),
                    name,
                    label: value,
                    value,
                    ..Field::default()
                }, chosen.contains(value)))
            }
            @if !typed.error(name).is_empty() { p.field-error { (typed.error(name)) } }
        }
    }
}
