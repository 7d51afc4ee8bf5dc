//! The checked-in copies are what the types say.

use expect_test::expect_file;

use crate::render::{self, Model};

fn model() -> Model {
    Model::read().unwrap()
}

#[test]
fn markdown_is_up_to_date() {
    let document = super::document::text();
    let rendered = render::markdown(&model(), &document).unwrap();
    expect_file!["../../../../protocol.md"].assert_eq(&rendered);
}

#[test]
fn typescript_is_up_to_date() {
    expect_file!["../../../../vscode-extension/src/protocol.ts"].assert_eq(&render::typescript(&model()));
}

#[test]
fn lua_is_up_to_date() {
    expect_file!["../../../../editors/nvim/lua/opal/protocol.lua"].assert_eq(&render::lua(&model()));
}

#[test]
fn marks_must_be_known_and_closed() {
    let check = |document: &str, message: &str| {
        assert_eq!(render::markdown(&model(), document).unwrap_err().to_string(), message);
    };
    check("<!-- generated:weather -->\n<!-- /generated -->", "nothing is generated under the name weather");
    check("<!-- generated:events -->\n", "the generated block events is not closed");
}
