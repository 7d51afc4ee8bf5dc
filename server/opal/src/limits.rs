//! Every limit of the server in one place, so that tests can shorten them.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Limits {
    pub session: agent::Limits,
    pub provider: provider::Timeouts,
    /// Bytes of one frame.
    pub frame: usize,
    /// Bytes that may wait for a client before its outbox is full.
    pub outbox: usize,
    /// How long an outbox may be full before the client is disconnected.
    pub outbox_stall: Duration,
    /// The editor's answer to `workspace/applyEdit`.
    pub apply_edit: Duration,
    /// After the answer, a text that shows the edit.
    pub verify_edit: Duration,
    /// After that, how much longer to wait if no change has come at all.
    pub late_change: Duration,
    /// The editor's answer to `client/save_documents`.
    pub save_documents: Duration,
    /// The editor's answer to `client/tool_call`.
    pub client_tool: Duration,
    /// For the disk to say where the documents and folders lead that a client has named.
    pub resolve: Duration,
    /// After the end of a connection, for what still has to be written.
    pub linger: Duration,
    /// Bytes of a file that is read.
    pub read_file: u64,
    /// Bytes of a closed file that is edited through the editor; larger ones are written by the server.
    pub edit_closed_file: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session: agent::Limits::default(),
            provider: provider::Timeouts::default(),
            frame: 64 << 20,
            outbox: 8 << 20,
            outbox_stall: Duration::from_secs(120),
            apply_edit: Duration::from_secs(10),
            verify_edit: Duration::from_secs(2),
            late_change: Duration::from_secs(10),
            save_documents: Duration::from_secs(10),
            client_tool: Duration::from_secs(60),
            resolve: Duration::from_secs(2),
            linger: Duration::from_millis(250),
            read_file: 64 << 20,
            edit_closed_file: 5 << 20,
        }
    }
}
