//! The first start on an empty database: the first administrator.

use chancery_event::id::AccountId;
use chancery_event::types::bootstrap as types;
use chancery_event::{Target, TargetKind};
use chancery_store::Tx;
use chancery_store::table::account::{self, Account};

use super::password;
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Role, Secret};

impl Engine {
    /// Makes the first administrator if there is no account; answers a generated password.
    pub(crate) async fn bootstrap(
        &self,
        context: &Context,
    ) -> Result<Option<Secret<String>>, Error> {
        let mut link = self.link().await?;
        let empty = account::all(&mut link).await?.is_empty();
        drop(link);
        if !empty {
            return Ok(None);
        }
        let name = super::account::login_name(&self.settings().admin_name)?;
        let given = self.settings().admin_password.clone();
        let generated = given.is_none();
        let secret = given.unwrap_or_else(|| password::generate(self.environment()));
        if !generated {
            password::check(&secret, &name)?;
        }
        let hash = password::hash(secret.clone(), self.environment()).await?;
        let now = self.environment().now();
        let admin = Account {
            id: self.environment().id::<AccountId>(),
            name: name.clone(),
            display_name: "First administrator".to_owned(),
            email: None,
            role: Role::Administrator.as_str().to_owned(),
            password_hash: Some(hash),
            must_change: generated,
            password_set_at: Some(now),
            password_ends_at: self.password_age().end(now),
            disabled: false,
            expires_at: None,
            failures: 0,
            locked_until: None,
            last_login_at: None,
            created_at: now,
            version: 1,
        };
        let drafts = drafts(&admin, generated, self.0.store.schema_version())?;
        let scribe = self.scribe(context);
        let made = self
            .0
            .store
            .transaction("bootstrap", move |tx: &mut Tx| {
                let (scribe, admin, drafts) = (scribe.clone(), admin.clone(), drafts.clone());
                Box::pin(async move {
                    if !account::all(tx).await?.is_empty() {
                        return Ok(false);
                    }
                    account::insert(tx, &admin).await?;
                    for draft in drafts {
                        scribe.record(tx, draft)?;
                    }
                    Ok::<bool, Error>(true)
                })
            })
            .await?;
        // Another node that started at the same time may have been faster.
        Ok((generated && made).then_some(secret))
    }
}

fn drafts(admin: &Account, generated: bool, schema_version: u32) -> Result<Vec<Draft>, Error> {
    let target = || Target::new(TargetKind::Account, admin.id);
    let configuration = |name: &str| Target::new(TargetKind::Configuration, name);
    Ok(vec![
        Draft::new(&types::CreateConfiguration {
            schema_version,
            parts: vec!["store".to_owned(), "log".to_owned(), "access".to_owned()],
        })?
        .target(configuration("system")),
        Draft::new(&types::CreateIdentityProvider { object_name: "local".to_owned() })?
            .target(configuration("local")),
        Draft::new(&types::CreatePasswordPolicy {
            object_name: "default".to_owned(),
            length_min: u32::try_from(super::PASSWORD_LENGTH_MIN).unwrap_or(u32::MAX),
        })?
        .target(configuration("default")),
        Draft::new(&types::CreateAdministrator {
            account_id: Some(admin.id),
            password_generated: generated,
            login_name: Some(admin.name.clone()),
        })?
        .person(target(), &admin.name),
        Draft::new(&types::AuthorizeAdministrator {
            account_id: Some(admin.id),
            role: admin.role.clone(),
        })?
        .person(target(), &admin.name),
    ])
}
