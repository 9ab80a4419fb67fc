use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What is wrong with the answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lie {
    /// One bit of whatever is asked for under a path that ends like this is another one.
    pub(crate) about: Option<String>,
    /// Lists of referrers say the type of the empty config, as cosign writes it.
    pub(crate) hides_types: bool,
    /// Whatever is asked for under a path with this in it ends in the middle.
    pub(crate) breaks_off: Option<String>,
}

/// Stands before a registry, and does not always tell what that says.
pub(crate) struct Liar {
    pub(crate) name: String,
    lie: Arc<Mutex<Lie>>,
}

impl Liar {
    pub(crate) fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = listener.local_addr().unwrap().to_string();
        let lie = Arc::new(Mutex::new(Lie::default()));
        let (upstream, told) = (upstream.to_owned(), Arc::clone(&lie));
        // They end with their connections, and with the test.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), upstream, told) = (client, upstream.clone(), Arc::clone(&told)) else { continue };
                thread::spawn(move || answer(client, &upstream, &told.lock().unwrap().clone()));
            }
        });
        Self { name, lie }
    }

    pub(crate) fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }
}

/// Reads the head of a message, and its body where the head has its length.
fn read(from: &mut impl BufRead) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; if head[0].contains("HEAD") { 0 } else { length.unwrap_or(0) }];
    from.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// One request on a connection of its own, with its answer.
fn answer(mut client: TcpStream, upstream: &str, lie: &Lie) -> Option<()> {
    let (mut head, body) = read(&mut BufReader::new(client.try_clone().ok()?))?;
    let path = head[0].split(' ').nth(1)?.to_owned();
    head.retain(|line| !line.to_lowercase().starts_with("connection:"));
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(format!("{}\r\nConnection: close\r\n\r\n", head.join("\r\n")).as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let mut whole = Vec::new();
    server.read_to_end(&mut whole).ok()?;
    let end = whole.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (told, rest) = whole.split_at(end + 4);
    let mut content = rest.to_vec();
    let middle = content.len() / 2;
    if lie.about.as_deref().is_some_and(|about| path.ends_with(about)) && !content.is_empty() {
        // Inside of the text, so that it stays what it looks like.
        content[middle] ^= 1;
    }
    if lie.hides_types && path.contains("/referrers/") {
        let text = String::from_utf8(content).ok()?;
        let hidden = regex::Regex::new(r#""artifactType":"[^"]*""#).unwrap();
        content =
            hidden.replace_all(&text, r#""artifactType":"application/vnd.oci.empty.v1+json""#).into_owned().into();
    }
    let told = String::from_utf8(told.to_vec()).ok()?;
    let told = if rest.is_empty() {
        told
    } else {
        let length = regex::Regex::new(r"(?i)content-length: \d+").unwrap();
        length.replace(&told, format!("content-length: {}", content.len())).into_owned()
    };
    if lie.breaks_off.as_deref().is_some_and(|part| path.contains(part)) {
        content.truncate(content.len() / 2);
    }
    client.write_all(told.as_bytes()).ok()?;
    client.write_all(&content).ok()
}
