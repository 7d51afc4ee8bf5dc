//! `initialize` and `shutdown`, and what a client says of its folders.

use protocol::methods::client_to_server_methods;
use protocol::{ClientCapabilities as OpalCapabilities, PROTOCOL_VERSION};
use serde_json::json;
use text::{AbsPath, Counting, PositionEncoding};
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::Result;
use tower_lsp::lsp_types::{
    DidChangeWorkspaceFoldersParams, InitializeParams, InitializeResult, InitializedParams, OneOf,
    PositionEncodingKind, ResourceOperationKind, ServerCapabilities, ServerInfo, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Uri,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use super::Backend;
use crate::connection::Profile;

/// Characters of a client's name that are told.
const MAX_NAME: usize = 60;

impl LanguageServer for Backend {
    // No await here: the router takes nothing else until this has been answered.
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let encoding = encoding(&params);
        self.connection.change_folders(folders(&params), &[]);
        let profile = profile(&params);
        self.connection.documents.set_counting(Counting { encoding, line_ends: profile.line_ends() });
        self.connection.set_profile(profile);
        if let Some(process_id) = params.process_id {
            self.server.follow_process(process_id, self.connection.stop.clone());
        }
        let client = params.client_info.map(|info| (info.name, info.version));
        tracing::info!(?client, ?encoding, "a client has connected");
        Ok(InitializeResult {
            capabilities: capabilities(encoding),
            server_info: Some(ServerInfo {
                name: "opal".into(),
                version: Some(env!("CARGO_PKG_VERSION").into()),
            }),
        })
    }

    async fn initialized(&self, _params: InitializedParams) {
        self.connection.set_ready();
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let paths = |folders: Vec<tower_lsp::lsp_types::WorkspaceFolder>| {
            folders.iter().filter_map(|folder| path(&folder.uri)).collect::<Vec<_>>()
        };
        self.connection.change_folders(paths(params.event.added), &paths(params.event.removed));
    }
}

/// The first of the client's encodings that is known; UTF-16 if it names none, as LSP says.
fn encoding(params: &InitializeParams) -> PositionEncoding {
    let offered =
        params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_ref());
    let known = |kind: &PositionEncodingKind| match kind.as_str() {
        "utf-8" => Some(PositionEncoding::Utf8),
        "utf-16" => Some(PositionEncoding::Utf16),
        "utf-32" => Some(PositionEncoding::Utf32),
        _ => None,
    };
    offered.and_then(|kinds| kinds.iter().find_map(known)).unwrap_or(PositionEncoding::Utf16)
}

/// A client's name as others are shown it, in messages and terminals.
fn plain_name(name: &str) -> String {
    name.chars().filter(|char| !char.is_control()).take(MAX_NAME).collect()
}

fn profile(params: &InitializeParams) -> Profile {
    let opal = params.capabilities.experimental.as_ref().and_then(|experimental| experimental.get("opal"));
    let opal = opal.and_then(|opal| {
        serde_json::from_value::<OpalCapabilities>(opal.clone())
            .inspect_err(|error| tracing::warn!(%error, "the client's experimental.opal is not understood"))
            .ok()
    });
    let workspace = params.capabilities.workspace.as_ref();
    let edit = workspace.and_then(|workspace| workspace.workspace_edit.as_ref());
    let operations = edit.and_then(|edit| edit.resource_operations.as_ref());
    let window = params.capabilities.window.as_ref();
    let show_document = window.and_then(|window| window.show_document.as_ref());
    Profile {
        client: params.client_info.as_ref().map(|info| plain_name(&info.name)),
        show_document: show_document.is_some_and(|able| able.support),
        opal,
        document_changes: edit.and_then(|edit| edit.document_changes).unwrap_or(false),
        create_files: operations.is_some_and(|kinds| kinds.contains(&ResourceOperationKind::Create)),
        delete_files: operations.is_some_and(|kinds| kinds.contains(&ResourceOperationKind::Delete)),
    }
}

fn folders(params: &InitializeParams) -> Vec<AbsPath> {
    let folders = params.workspace_folders.iter().flatten().map(|folder| &folder.uri);
    // Only old clients send nothing else.
    #[expect(deprecated, reason = "older clients name their root only here")]
    let root = params.root_uri.iter();
    folders.chain(root).filter_map(path).collect()
}

fn path(uri: &Uri) -> Option<AbsPath> {
    AbsPath::from_uri(uri.as_str()).ok()
}

fn capabilities(encoding: PositionEncoding) -> ServerCapabilities {
    let encoding = match encoding {
        PositionEncoding::Utf8 => PositionEncodingKind::UTF8,
        PositionEncoding::Utf16 => PositionEncodingKind::UTF16,
        PositionEncoding::Utf32 => PositionEncodingKind::UTF32,
    };
    let opal = protocol::ServerCapabilities {
        version: PROTOCOL_VERSION,
        methods: client_to_server_methods().map(str::to_owned).collect(),
        position_encoding: encoding.as_str().to_owned(),
    };
    ServerCapabilities {
        position_encoding: Some(encoding),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::Supported(true)),
            ..TextDocumentSyncOptions::default()
        })),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        experimental: Some(json!({"opal": opal})),
        ..ServerCapabilities::default()
    }
}
