//! The administration of who may do what: roles, teams, authorisations, credentials, providers.

use super::{Change, Word};

/// The three operations on a kind of object that is kept as configuration of access.
macro_rules! kept {
    ($($what:literal: $create:ident $update:ident $delete:ident;)+) => {
        payloads! {$(
            #[doc = concat!("A ", $what, " was created.")]
            $create {
                /// Identifier it was given; absent when it was not created.
                object_id: Option<String>,
                /// Its name.
                object_name: Option<String>,
                /// What it was created with, member by member; never a secret.
                changes: Vec<Change>,
            }

            #[doc = concat!("A ", $what, " was changed.")]
            $update {
                /// Its identifier.
                object_id: Option<String>,
                /// Its name.
                object_name: Option<String>,
                /// What changed, member by member; never a secret.
                changes: Vec<Change>,
            }

            #[doc = concat!("A ", $what, " was deleted.")]
            $delete {
                /// Its identifier.
                object_id: Option<String>,
                /// The name it had.
                object_name: Option<String>,
            }
        )+}
    };
}

kept! {
    "grant of permissions to a principal":
        AuthorizationCreate AuthorizationUpdate AuthorizationDelete;
    "set of stored credentials for another system":
        CredentialsCreate CredentialsUpdate CredentialsDelete;
    "provider of identities":
        IdentityProviderCreate IdentityProviderUpdate IdentityProviderDelete;
    "password policy":
        PasswordPolicyCreate PasswordPolicyUpdate PasswordPolicyDelete;
    "role":
        RoleCreate RoleUpdate RoleDelete;
    "SCIM profile":
        ScimProfileCreate ScimProfileUpdate ScimProfileDelete;
    "team":
        TeamCreate TeamUpdate TeamDelete;
}

payloads! {
    /// Everything that a team owns was handed to another team.
    TeamSwitch {
        /// The team that owned it.
        old_team: String,
        /// The team that owns it now.
        new_team: String,
        /// How many objects changed hands.
        objects: Option<u64>,
        /// Which kinds of object.
        object_kinds: Vec<Word>,
    }
}
