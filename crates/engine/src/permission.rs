//! Roles and what they may do. Deny by default: what is not listed for a role is refused.

use std::fmt;

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $role:ident;)+) => {
        /// What a caller may do. Each route and each operation names exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $name),+ }

        impl Permission {
            /// All permissions.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Stable word, as in problem documents and the API description.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            fn least(self) -> Need {
                match self { $(Self::$name => Need::$role),+ }
            }
        }
    };
}

/// Who needs to be asked for.
enum Need {
    /// Any account.
    Viewer,
    /// Operators and administrators.
    Operator,
    /// Auditors and administrators.
    Auditor,
    /// Auditors, operators and administrators.
    Reader,
    /// Administrators.
    Administrator,
}

permissions! {
    /// See certificates, groups, profiles and attributes.
    CertificateRead = "certificate:read": Viewer;
    /// Upload, change, archive certificates.
    CertificateWrite = "certificate:write": Operator;
    /// Delete certificates for good.
    CertificateDelete = "certificate:delete": Administrator;
    /// See events (with the personal part only for [`Permission::PersonalRead`]).
    EventRead = "event:read": Viewer;
    /// See names and addresses of people in events.
    PersonalRead = "personal:read": Reader;
    /// Export events and certificates.
    Export = "export": Reader;
    /// Erase the personal part of events.
    PersonalErase = "personal:erase": Administrator;
    /// Read the sealed entries of the whole log.
    LogRead = "log:read": Auditor;
    /// Verify the log on the server.
    LogVerify = "log:verify": Reader;
    /// See alerts (messages about people only with [`Permission::PersonalRead`]).
    AlertRead = "alert:read": Viewer;
    /// Acknowledge, assign, snooze, resolve and reopen alerts.
    AlertWrite = "alert:write": Operator;
    /// See jobs.
    JobRead = "job:read": Viewer;
    /// Retry and cancel jobs.
    JobWrite = "job:write": Operator;
    /// Manage groups, RA profiles, custom attributes.
    ConfigurationWrite = "configuration:write": Administrator;
    /// See rules, actions, triggers and monitors, and what they decided.
    AutomationRead = "automation:read": Viewer;
    /// Try automation out on recorded events, at the cost of reading many of them.
    AutomationTry = "automation:try": Reader;
    /// Change rules, actions, triggers, monitors and schedules.
    AutomationWrite = "automation:write": Administrator;
    /// See forwarders and deliveries: operators those that they may manage.
    ForwarderRead = "forwarder:read": Reader;
    /// Change forwarders, send again: operators those that they were given.
    ForwarderWrite = "forwarder:write": Operator;
    /// See the sources of events of other systems, and their figures.
    IntakeRead = "intake:read": Reader;
    /// Set up sources of events of other systems.
    IntakeWrite = "intake:write": Administrator;
    /// See accounts and all tokens.
    AccountRead = "account:read": Reader;
    /// Manage accounts and everybody's tokens.
    AccountWrite = "account:write": Administrator;
    /// Manage one's own password, tokens, sessions, views, and what one has read.
    OwnWrite = "own:write": Viewer;
    /// See figures of the running server.
    MetricsRead = "metrics:read": Viewer;
    /// See rules of retention, legal holds and runs.
    RetentionRead = "retention:read": Reader;
    /// Change what is kept: rules of retention, legal holds.
    RetentionWrite = "retention:write": Administrator;
    /// Make a backup.
    Backup = "backup": Administrator;
}

/// A role of an account or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Administrator,
    /// Runs the inventory.
    Operator,
    /// Reads everything, the sealed log included; changes nothing.
    Auditor,
    /// Looks.
    Viewer,
}

impl Role {
    /// All roles, the most powerful first.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Operator, Self::Auditor, Self::Viewer];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
        }
    }

    /// The role that `text` spells, of a member `role`.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn named(text: &str) -> Result<Self, crate::Error> {
        let names = || Self::ALL.map(Self::as_str).join(", ");
        Self::parse(text)
            .ok_or_else(|| crate::Error::invalid("role", format!("one of {}", names())))
    }

    /// The role that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether this role has the permission.
    pub fn may(self, permission: Permission) -> bool {
        match permission.least() {
            Need::Viewer => true,
            Need::Operator => matches!(self, Self::Operator | Self::Administrator),
            Need::Auditor => matches!(self, Self::Auditor | Self::Administrator),
            Need::Reader => !matches!(self, Self::Viewer),
            Need::Administrator => matches!(self, Self::Administrator),
        }
    }

    /// Whether everything `other` may do, this role may do too.
    pub fn covers(self, other: Self) -> bool {
        Permission::ALL.iter().all(|&p| self.may(p) || !other.may(p))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_covers_all_and_a_viewer_only_itself() {
        for role in Role::ALL {
            assert!(Role::Administrator.covers(role));
            assert_eq!(Role::Viewer.covers(role), role == Role::Viewer);
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert!(!Role::Operator.covers(Role::Auditor));
        assert!(!Role::Auditor.covers(Role::Operator));
    }

    #[test]
    fn only_administrators_manage_accounts() {
        let may: Vec<_> =
            Role::ALL.into_iter().filter(|r| r.may(Permission::AccountWrite)).collect();
        assert_eq!(may, [Role::Administrator]);
    }
}
