//! The handshake: `capabilities.experimental.opal` of LSP's `initialize`, in both directions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClientTool, null_as_default};

/// The protocol version spoken by this crate.
pub const PROTOCOL_VERSION: u32 = 1;

/// What a client that knows Opal says of itself. A client that says nothing gets the plain LSP tier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCapabilities {
    /// The protocol version the client was written for: 1.
    pub version: u32,
    /// Answers `client/confirm`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub confirm: bool,
    /// Answers `client/input`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub input: bool,
    /// Answers `client/save_documents`, and so gets every edit as a workspace edit.
    #[serde(default, deserialize_with = "null_as_default")]
    pub save_documents: bool,
    /// What `client/tool_call` may ask for.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ClientTool>,
    /// The breaks that end a line in the client's positions. If absent, LSP's, except for editors that are known by
    /// `clientInfo.name` to count otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_ends: Option<LineEnds>,
}

/// The breaks that end a line in a client's positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineEnds {
    /// LF, CRLF and CR, as LSP says.
    Lsp,
    /// LF alone: a CR is a character of its line.
    Lf,
    #[serde(other)]
    Unknown,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerCapabilities {
    /// The protocol version the server speaks: 1.
    pub version: u32,
    /// The client → server methods of Opal that this server answers.
    pub methods: Vec<String>,
    /// The position encoding of every range on this connection: `utf-8`, `utf-16` or `utf-32`.
    pub position_encoding: String,
}
