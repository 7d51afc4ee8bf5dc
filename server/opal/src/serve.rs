//! One connection from its first byte to its last.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::edge::{Edge, Farewell};
use crate::handlers;
use crate::server::Server;
use crate::transport::{FrameReader, Outbox, OutboxWriter};

impl Server {
    /// Serves one connection until the client says `exit`, goes, or stops reading for too long. Its
    /// sessions stay; see [`Server::shutdown`].
    pub async fn serve<R, W>(&self, reader: R, writer: W) -> Farewell
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.limits();
        let outbox = Arc::new(Outbox::new(limits.outbox));
        let stop = self.stop().child_token();
        let connection = Arc::new(Connection::new(self.next_client(), outbox.clone(), stop.clone()));
        self.show_notices(&connection);
        let (service, _socket) = handlers::service(self.clone(), connection.clone());
        let mut edge = Edge {
            service,
            connection: connection.clone(),
            outbox: outbox.clone(),
            tasks: TaskTracker::new(),
            stop,
            farewell: Farewell::default(),
        };
        let out = OutboxWriter { outbox, stall: limits.outbox_stall };
        let mut writing = self.tasks().spawn(async move { out.run(writer).await });
        tokio::select! {
            () = edge.read(FrameReader::new(reader, limits.frame)) => {}
            ended = &mut writing => {
                tracing::info!(?ended, "the client does not take what it is sent");
            }
        }
        // A client that closes its side after the last request still gets the answers.
        edge.tasks.close();
        let _ = tokio::time::timeout(limits.linger, edge.tasks.wait()).await;
        connection.close().await;
        // What was answered last, `shutdown` above all, still leaves.
        if !writing.is_finished() && tokio::time::timeout(limits.linger, &mut writing).await.is_err() {
            writing.abort();
        }
        edge.farewell
    }
}

#[cfg(test)]
mod tests;
