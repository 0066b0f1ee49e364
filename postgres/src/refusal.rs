//! What a connection is told for which there is no place.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use pgwire::error::ErrorInfo;
use pgwire::messages::Message;
use pgwire::messages::response::ErrorResponse;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::errors::code;

/// How long a client may take to begin.
const PATIENCE: Duration = Duration::from_secs(2);

/// Requests for TLS and for GSSAPI encryption, which come before the first message (the manual of PostgreSQL,
/// "Message Formats").
const ENCRYPTIONS: [u32; 2] = [80_877_103, 80_877_104];

/// The longest first message.
const LONGEST: u32 = 10_000;

/// Says that there are as many connections as there may be.
pub(crate) async fn refuse(mut socket: TcpStream, most: usize) -> io::Result<()> {
    let told = timeout(PATIENCE, async {
        // What is not read would take the answer with it, when the connection is closed.
        read_first(&mut socket).await?;
        socket.write_all(&too_many(most)?).await?;
        socket.shutdown().await
    });
    told.await.unwrap_or(Ok(()))
}

async fn read_first(socket: &mut TcpStream) -> io::Result<()> {
    loop {
        let (length, code) = (socket.read_u32().await?, socket.read_u32().await?);
        if !ENCRYPTIONS.contains(&code) {
            let rest = length.saturating_sub(8).min(LONGEST);
            let mut body = vec![0; rest as usize];
            return socket.read_exact(&mut body).await.map(|_| ());
        }
        socket.write_all(b"N").await?;
    }
}

fn too_many(most: usize) -> io::Result<BytesMut> {
    let problem = format!("sorry, too many clients already: `max_connections` under `[postgres]` is {most}");
    let error = ErrorInfo::new("FATAL".to_owned(), code::TOO_MANY.to_owned(), problem);
    let mut bytes = BytesMut::new();
    ErrorResponse::from(error).encode(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
