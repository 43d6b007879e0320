//! A road to PostgreSQL that can be cut or blocked: TCP on one side, the server's socket on the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// How the road is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Open,
    /// Bytes are swallowed up and nothing says so, as behind a firewall that lost its table.
    Blocked,
}

pub struct Proxy {
    pub address: SocketAddr,
    road: watch::Sender<Road>,
    /// Counts up whenever every connection is to be cut.
    cut: watch::Sender<u32>,
    _accepting: Arc<tokio::task::JoinHandle<()>>,
}

impl Proxy {
    /// Leads to the PostgreSQL socket in `folder`.
    pub async fn to(folder: &Path) -> Proxy {
        let socket: PathBuf = folder.join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (road, road_seen) = watch::channel(Road::Open);
        let (cut, cut_seen) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, road, cut) = (socket.clone(), road_seen.clone(), cut_seen.clone());
                tokio::spawn(async move {
                    let Ok(server) = UnixStream::connect(socket).await else { return };
                    let (client_in, client_out) = client.into_split();
                    let (server_in, server_out) = server.into_split();
                    let there = pass(client_in, server_out, road.clone(), cut.clone());
                    let back = pass(server_in, client_out, road, cut);
                    // When one side ends, both do: dropping the halves closes the sockets.
                    tokio::select! { () = there => {}, () = back => {} }
                });
            }
        });
        Proxy { address, road, cut, _accepting: Arc::new(accepting) }
    }

    /// Ends every connection at once.
    pub fn cut(&self) {
        self.cut.send_modify(|times| *times += 1);
    }

    /// Nothing passes any more, and nobody is told.
    pub fn block(&self) {
        let _ = self.road.send(Road::Blocked);
    }

    pub fn unblock(&self) {
        let _ = self.road.send(Road::Open);
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut road: watch::Receiver<Road>,
    mut cut: watch::Receiver<u32>,
) {
    cut.mark_unchanged();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = cut.changed() => return,
        };
        let Ok(length) = read else { return };
        if length == 0 {
            return;
        }
        let open = async {
            let _ = road.wait_for(|road| *road == Road::Open).await;
        };
        tokio::select! {
            () = open => {}
            _ = cut.changed() => return,
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// Waits without holding up anything.
pub async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
