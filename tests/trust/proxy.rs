use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// Stands before a registry, and stops in the middle of what is sent to it.
pub(crate) struct Proxy {
    pub(crate) name: String,
    gate: Arc<Gate>,
}

struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// How many bytes may still pass.
    left: u64,
    /// Whether somebody wants to send more.
    is_stuck: bool,
}

impl Proxy {
    pub(crate) fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = listener.local_addr().unwrap().to_string();
        let gate =
            Arc::new(Gate { state: Mutex::new(State { left: u64::MAX, is_stuck: false }), changed: Condvar::new() });
        let (upstream, passing) = (upstream.to_owned(), Arc::clone(&gate));
        // They end with their connections, and with the test.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&upstream)) else { continue };
                let (back, gate) = ((server.try_clone().unwrap(), client.try_clone().unwrap()), Arc::clone(&passing));
                thread::spawn(move || pump(back.0, back.1, |_| {}));
                thread::spawn(move || pump(client, server, |bytes| gate.pass(bytes)));
            }
        });
        Self { name, gate }
    }

    /// Lets so many bytes through to the registry from now on.
    pub(crate) fn allow(&self, bytes: u64) {
        *self.gate.state.lock().unwrap() = State { left: bytes, is_stuck: false };
        self.gate.changed.notify_all();
    }

    /// Waits until somebody cannot send on, or until `ended` says that nobody will; whether somebody is stuck.
    pub(crate) fn wait(&self, ended: impl Fn() -> bool) -> bool {
        let mut state = self.gate.state.lock().unwrap();
        while !state.is_stuck && !ended() {
            // Nobody says that a process has ended: it is looked at now and then.
            let pause = std::time::Duration::from_millis(20);
            state = self.gate.changed.wait_timeout(state, pause).unwrap().0;
        }
        state.is_stuck
    }
}

impl Gate {
    fn pass(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap();
        while state.left < bytes {
            state.is_stuck = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
        state.left -= bytes;
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, pass: impl Fn(u64)) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        pass(length as u64);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}
