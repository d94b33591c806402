//! What the first start on an empty store sets up.

use crate::id::AccountId;

payloads! {
    /// The first start created the account of the first administrator.
    CreateAdministrator {
        /// Identifier it was given.
        account_id: Option<AccountId>,
        /// Whether the password was generated rather than given.
        password_generated: bool,
    }
    personal {
        /// Login name.
        login_name,
    }

    /// The first start gave the first administrator the role that may do everything.
    AuthorizeAdministrator {
        /// The account.
        account_id: Option<AccountId>,
        /// The role it was given.
        role: String,
    }

    /// The first start wrote the configuration of the system.
    CreateConfiguration {
        /// Version of the store's schema.
        schema_version: u32,
        /// Names of the parts that were set up.
        parts: Vec<String>,
    }

    /// The first start set up the provider of local identities.
    CreateIdentityProvider {
        /// Its name.
        object_name: String,
    }

    /// The first start set up the password policy.
    CreatePasswordPolicy {
        /// Its name.
        object_name: String,
        /// Shortest password allowed, in characters.
        length_min: u32,
    }

    /// The first start set up a grading policy.
    CreateGradingPolicy {
        /// Its name.
        object_name: String,
    }

    /// The first start set up a set of grading rules.
    CreateGradingRuleset {
        /// Its name.
        object_name: String,
    }
}
