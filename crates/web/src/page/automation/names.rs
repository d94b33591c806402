//! What the steps of an action can name: groups, profiles, people, attributes, jobs, fields. Shown
//! beside the box of the steps, and used in the examples, so that these can be saved as they are.

use chancery_engine::access::AccountView;
use chancery_engine::automation::{Class, Object};
use chancery_engine::configuration::LabelClass;
use chancery_engine::reaction::all_fields;
use chancery_engine::row::{Attribute, Label};
use chancery_engine::{Permission, Role, job};
use maud::{Markup, html};
use serde_json::Value;

use super::picker::{self, Group, Item, Picker};
use crate::edge::Problem;
use crate::page::shell::Shell;

/// Accounts that are listed; there may be thousands.
const ACCOUNTS_MAX: usize = 50;

/// What there is to name.
pub(super) struct Names {
    groups: Vec<Label>,
    ra_profiles: Vec<Label>,
    accounts: Vec<AccountView>,
    attributes: Vec<Attribute>,
    profiles: Vec<Object>,
}

impl Names {
    pub(super) async fn read(shell: &Shell) -> Result<Self, Problem> {
        let (engine, context) = (shell.engine(), shell.context());
        let accounts = match shell.may(Permission::AccountRead) {
            true => engine.accounts(context).await?,
            false => Vec::new(),
        };
        Ok(Self {
            groups: engine.labels(context, LabelClass::Group).await?,
            ra_profiles: engine.labels(context, LabelClass::RaProfile).await?,
            accounts,
            attributes: engine.attributes(context).await?,
            profiles: engine.automation(context, Class::Profile).await?,
        })
    }

    /// An example of a step, with names that there are.
    pub(super) fn example(&self, word: &str) -> Option<String> {
        let label = |labels: &[Label], otherwise: &str| {
            quoted(labels.first().map_or(otherwise, |label| &label.name))
        };
        let step = word.split('.').next().unwrap_or_default();
        let members = match word {
            "set_groups" => format!("groups = [{}]", label(&self.groups, "web")),
            "add_group" => format!("group = {}", label(&self.groups, "web")),
            "set_ra_profile" => format!("ra_profile = {}", label(&self.ra_profiles, "internal")),
            "set_owner" => self.owner(),
            "set_path" => "path = \"/prod/{object.ra_profile}\"".to_owned(),
            "set_attribute" => self.attribute(),
            "raise_alert" => "kind = \"weak_key\"\nseverity = \"warning\"\ntitle = \"{object.cn} has a weak key\"\nmessage = \"{object.key_size} bits; issue it anew.\"".to_owned(),
            "resolve_alert" => "kind = \"weak_key\"".to_owned(),
            "notify" => "to = \"role:operator\"\ntitle = \"{object.cn} came in\"".to_owned(),
            "notify.profile" => {
                let profile = self.profiles.first().map_or("default", |profile| &profile.name);
                format!("profile = {}\ntitle = \"{{object.cn}} came in\"", quoted(profile))
            }
            "start_job" => "job = \"certificate.validate\"".to_owned(),
            _ => return None,
        };
        Some(format!("[[steps]]\nstep = \"{step}\"\n{members}"))
    }

    fn owner(&self) -> String {
        let by_attribute = self.attributes.iter().any(|one| one.name == "owner");
        match self.accounts.first() {
            Some(account) if !by_attribute => format!("owner = {}", quoted(&account.name)),
            _ => "owner = { from = \"object.attribute.owner\" }".to_owned(),
        }
    }

    fn attribute(&self) -> String {
        // What any text fits; of the others each needs a value of its kind.
        let fits = |one: &&Attribute| one.kind == "string" || one.kind == "text";
        let name = self.attributes.iter().find(fits).map_or("team", |one| &one.name);
        format!("attribute = {}\nvalue = {{ from = \"object.issuer_cn\" }}", quoted(name))
    }

    /// The list beside the box.
    pub(super) fn picker(&self) -> Markup {
        let mut groups = self.groups();
        groups.extend(picker::groups(&all_fields(&self.attributes), false, |name| {
            format!("{{{name}}}")
        }));
        Picker {
            id: "names",
            title: "What steps can name",
            search: ("Search what steps can name", "group, owner, expires …"),
            label: "Names and fields for steps",
            into: "steps",
            is_glued: true,
            groups: &groups,
        }
        .markup()
    }

    fn groups(&self) -> Vec<Group> {
        let label = |one: &Label| item(&one.name, "", &one.description);
        let attribute = |one: &Attribute| {
            let doc = if one.description.is_empty() { &one.label } else { &one.description };
            item(&one.name, &one.kind, doc)
        };
        let account = |one: &AccountView| item(&one.name, &one.role, &one.display_name);
        let profile = |one: &Object| {
            let doc = if one.description().is_empty() { one.title() } else { one.description() };
            item(&one.name, "", doc)
        };
        let more = self.accounts.len().saturating_sub(ACCOUNTS_MAX);
        let accounts = Group {
            note: html! { @if more > 0 { p.hint { "And " (more) " more: "
            a href="/administration" { "all accounts" } "." } } },
            ..group(
                "Accounts",
                ("account", "accounts"),
                self.accounts.iter().take(ACCOUNTS_MAX).map(account),
            )
        };
        vec![
            group("Groups", ("group", "groups"), self.groups.iter().map(label)),
            group("RA profiles", ("profile", "profiles"), self.ra_profiles.iter().map(label)),
            group(
                "Custom attributes",
                ("attribute", "attributes"),
                self.attributes.iter().map(attribute),
            ),
            group(
                "Notification profiles",
                ("profile", "profiles"),
                self.profiles.iter().map(profile),
            ),
            group("Whom notify tells in the bell", ("choice", "choices"), audiences()),
            accounts,
            group("Jobs", ("job", "jobs"), jobs()),
        ]
    }
}

fn group(
    title: &'static str,
    noun: (&'static str, &'static str),
    items: impl Iterator<Item = Item>,
) -> Group {
    Group { title, noun, items: items.collect(), is_open: false, note: html! {} }
}

/// A name, which is put in as a text of TOML.
fn item(name: &str, kind: &str, doc: &str) -> Item {
    let (shown, kind, doc) = (name.to_owned(), kind.to_owned(), doc.to_owned());
    Item { insert: quoted(name), shown, kind, doc }
}

/// A text of JSON is one of TOML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn audiences() -> impl Iterator<Item = Item> {
    let roles = Role::ALL
        .into_iter()
        .map(|role| item(&format!("role:{role}"), "", &format!("Everybody with the role {role}")));
    let owner = item("owner", "", "Who answers for the certificate");
    let account = item("account:NAME", "", "One account, by its login name");
    std::iter::once(owner).chain(roles).chain([account])
}

fn jobs() -> impl Iterator<Item = Item> {
    let kinds = job::Kind::ALL.into_iter().filter(|kind| kind.about_a_certificate());
    kinds.map(|kind| item(kind.as_str(), "", "About the certificate of the event"))
}
