//! What stands between the suite, which has no tokens, and a server that wants one: each
//! request is handed on with the token, on a connection of its own, and otherwise as it is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// A head is no longer than this.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The url at which the server at `url` can be asked without a token.
pub(crate) fn with_token(url: &str, token: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    let (server, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (server, path, token) = (server.to_owned(), path.to_owned(), token.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (server, token) = (server.clone(), token.clone());
            std::thread::spawn(move || {
                // Whoever is at either end may go at any moment.
                let _ = one(&stream?, &server, &token);
                std::io::Result::Ok(())
            });
        }
    });
    format!("http://{here}/{path}")
}

fn one(mut client: &TcpStream, server: &str, token: &str) -> std::io::Result<()> {
    let mut given = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        if let Some(end) = given.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let read = client.read(&mut buffer)?;
        if read == 0 || HEAD_BYTES_MAX < given.len() {
            return Ok(());
        }
        given.extend_from_slice(&buffer[..read]);
    };
    let (head, body) = given.split_at(end);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let kept = lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut head = format!("{first}\r\nAuthorization: Bearer {token}\r\nConnection: close");
    for line in kept {
        head.push_str("\r\n");
        head.push_str(line);
    }
    let mut server = TcpStream::connect(server)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    server.write_all(&[head.as_bytes(), body].concat())?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        // The client has gone, and the server is to know.
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Both)
}
