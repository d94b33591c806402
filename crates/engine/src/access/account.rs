//! stub
/// s
pub struct AccountView;
/// s
pub struct AccountChange;
/// s
pub struct NewAccount;
