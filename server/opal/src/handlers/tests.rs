use super::*;
use crate::{Limits, Settings};

#[tokio::test]
async fn exactly_the_methods_of_the_table_are_registered() {
    let server = Server::new(Settings::default(), Limits::default());
    let connection = server.new_connection();
    let (service, _socket) = service(server, connection);
    // The router shows its methods only so.
    let shown = format!("{service:?}");
    let mut own: Vec<&str> = shown.split('"').filter(|word| is_own(word)).collect();
    let mut table: Vec<&str> = methods::client_to_server_methods().collect();
    own.sort_unstable();
    table.sort_unstable();
    assert_eq!(own, table);
    for method in table {
        assert!(is_own(method), "{method}");
    }
}
