//! Signing in to GitHub.
//!
//! The device flow ([`DeviceFlow`]), tokens that other programs have left ([`existing_tokens`]), and what an
//! account may use ([`account()`]). Nothing here stores a token: that is for whoever asked for it.

mod account;
mod device;
mod domain;
mod existing;
mod sign_in_error;

pub use account::{Account, Quota, account};
pub use device::{DeviceCode, DeviceFlow, Granted, refresh};
pub use domain::{Domain, DomainError};
pub use existing::{FoundToken, existing_tokens, find_existing_tokens};
pub use sign_in_error::SignInError;
