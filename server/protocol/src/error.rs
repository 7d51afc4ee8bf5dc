//! Error codes beyond those of JSON-RPC and LSP, and what an error carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A code of Opal's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    pub code: i64,
    pub name: &'static str,
    pub meaning: &'static str,
}

pub const UNKNOWN_SESSION: i64 = -31001;
pub const BUSY: i64 = -31002;
pub const NOT_SIGNED_IN: i64 = -31003;
pub const OVERLOADED: i64 = -31004;
pub const HELD_ELSEWHERE: i64 = -31005;
pub const NOT_STORED: i64 = -31007;
pub const NOTHING_TO_DO: i64 = -31008;

/// Every code this server answers with, those of JSON-RPC and LSP included.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: -32700,
        name: "parse_error",
        meaning: "The frame is not JSON, not UTF-8, or nested too deep.",
    },
    CodeInfo {
        code: -32600,
        name: "invalid_request",
        meaning: "Not a JSON-RPC 2.0 message, a batch, or a frame beyond 64 MiB.",
    },
    CodeInfo { code: -32601, name: "method_not_found", meaning: "There is no such method." },
    CodeInfo {
        code: -32602,
        name: "invalid_params",
        meaning: "A parameter is missing or wrong; the message names its path and what was expected.",
    },
    CodeInfo { code: -32603, name: "internal_error", meaning: "A bug in Opal; the server goes on." },
    CodeInfo { code: -32002, name: "server_not_initialized", meaning: "A request came before `initialize`." },
    CodeInfo { code: -32800, name: "request_cancelled", meaning: "The client cancelled the request." },
    CodeInfo {
        code: UNKNOWN_SESSION,
        name: "unknown_session",
        meaning: "No session has this id, or several begin with it.",
    },
    CodeInfo {
        code: BUSY,
        name: "busy",
        meaning: "A turn is running; steer it, queue a follow-up, or abort it.",
    },
    CodeInfo {
        code: NOT_SIGNED_IN,
        name: "not_signed_in",
        meaning: "No model can be reached with what is configured.",
    },
    CodeInfo {
        code: NOTHING_TO_DO,
        name: "nothing_to_do",
        meaning: "There is nothing to take back or to compact; the message says why.",
    },
    CodeInfo {
        code: HELD_ELSEWHERE,
        name: "held_elsewhere",
        meaning: "Another process has the session open.",
    },
    CodeInfo {
        code: NOT_STORED,
        name: "not_stored",
        meaning: "The session cannot be stored or read. Nothing was promised; what was stored before is safe.",
    },
    CodeInfo { code: OVERLOADED, name: "overloaded", meaning: "A queue is full; try again later." },
];

/// `data` of an error of Opal's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// What the user can do about it: a full sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
