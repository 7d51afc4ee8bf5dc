//! Holds every copy of the wire to the types: see [`crate::render`].

mod commands;
mod copies;
mod document;
mod leniency;

use serde_json::Value;
use serde_json::error::Result;

use crate::methods::*;
use crate::{Notification, Request};

/// A method that can decode and encode again what it carries.
struct Wire {
    name: &'static str,
    params: fn(&Value) -> Result<Value>,
    result: Option<fn(&Value) -> Result<Value>>,
}

/// Every method; [`document::every_method_can_be_checked`] compares with [`METHODS`].
fn wires() -> Vec<Wire> {
    vec![
        request::<SessionStart>(),
        request::<SessionResume>(),
        request::<SessionList>(),
        request::<SessionHistory>(),
        request::<SessionTree>(),
        request::<SessionBranch>(),
        request::<SessionCompact>(),
        request::<SessionChanges>(),
        request::<SessionUndo>(),
        request::<SessionSet>(),
        request::<SessionDelete>(),
        request::<SessionExport>(),
        request::<Prompt>(),
        request::<Steer>(),
        request::<FollowUp>(),
        request::<CancelQueued>(),
        request::<Abort>(),
        request::<State>(),
        request::<ModelsList>(),
        request::<ModelsEnable>(),
        request::<AuthStatus>(),
        request::<AuthLogin>(),
        request::<AuthLogout>(),
        notification::<DeviceCode>(),
        notification::<Event>(),
        request::<Confirm>(),
        request::<Input>(),
        notification::<Resolved>(),
        request::<SaveDocuments>(),
        request::<CallClientTool>(),
    ]
}

fn request<R: Request>() -> Wire {
    Wire { name: R::METHOD, params: round_trip::<R::Params>, result: Some(round_trip::<R::Result>) }
}

fn notification<N: Notification>() -> Wire {
    Wire { name: N::METHOD, params: round_trip::<N::Params>, result: None }
}

fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(json: &Value) -> Result<Value> {
    serde_json::to_value(T::deserialize(json)?)
}
