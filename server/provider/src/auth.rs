//! Who uses GitHub, and where it is.

mod account;
mod domain;

pub use account::{Account, Quota, account};
pub use domain::{Domain, DomainError};
