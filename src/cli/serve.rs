use std::{
    fs::File,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::{arguments::ServeArguments, complain};
use crate::{
    event::ExitCode,
    oci::RegistryName,
    serve::{Access, Htpasswd, Log, ServeOptions, Server, Tls},
    store::{Host, LayoutRoot, MemoryHost, MemoryRegistry},
};

/// What a server is made of.
struct Prepared {
    options: ServeOptions,
    host: Arc<dyn Host>,
    log: Arc<dyn Log>,
}

/// `consign serve`
pub(super) fn serve(command: &ServeArguments) -> io::Result<ExitCode> {
    let Prepared { options, host, log } = match prepare(command) {
        Ok(prepared) => prepared,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    warn(command.listen, &options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let server = match Server::bind(command.listen, host, options, log).await {
            Ok(server) => server,
            Err(error) => {
                complain(&format!("cannot listen at {}: {error}", command.listen));
                return Ok(ExitCode::Failed);
            }
        };
        super::print(&format!("{}\n", server.address()))?;
        let mut stop = Box::pin(stopped());
        tokio::select! {
            () = server.run(&mut stop) => {}
            // Whoever asks again does not want to wait.
            () = again() => {}
        }
        Ok(ExitCode::Success)
    });
    runtime.shutdown_background();
    served
}

fn prepare(command: &ServeArguments) -> Result<Prepared, String> {
    let users = command.htpasswd.as_deref().map(Htpasswd::read).transpose().map_err(|error| error.to_string())?;
    let tls = match (&command.tls_cert, &command.tls_key) {
        (Some(certificates), Some(key)) => Some(Tls::read(certificates, key).map_err(|error| error.to_string())?),
        _ => None,
    };
    let options = ServeOptions {
        read_only: command.read_only,
        referrers: !command.no_referrers,
        max_blob_size: command.max_blob_size.unwrap_or(u64::MAX),
        users,
        tls,
    };
    let host: Arc<dyn Host> = if let Some(root) = &command.root {
        Arc::new(LayoutRoot::open(root).map_err(|error| error.to_string())?)
    } else {
        let name: RegistryName = "localhost".parse().map_err(|error| format!("{error}"))?;
        Arc::new(MemoryHost::new(MemoryRegistry::default(), name))
    };
    let log = Arc::new(Lines::open(command.access_log.as_deref())?);
    Ok(Prepared { options, host, log })
}

fn warn(listen: SocketAddr, options: &ServeOptions) {
    if listen.ip().is_loopback() {
        return;
    }
    match (&options.users, &options.tls) {
        (None, _) if !options.read_only => {
            note(
                "everybody who reaches this machine can read, write and delete: --htpasswd or --read-only limits that",
            );
        }
        (Some(_), None) => note("passwords come in unencrypted: --tls-cert and --tls-key encrypt them"),
        _ => {}
    }
}

fn note(message: &str) {
    // Where stderr is gone, nobody is there to be warned.
    let _ = writeln!(io::stderr().lock(), "warning: {message}");
}

/// Done at the first sign that the program is to end.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Done at the second.
async fn again() {
    stopped().await;
    stopped().await;
}

/// A line for each request, in a file or on stderr.
struct Lines(Option<Mutex<File>>);

impl Lines {
    fn open(path: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.map(Mutex::new).map_err(|error| format!("{}: {error}", path.display()))
        };
        path.map(open).transpose().map(Self)
    }
}

impl Log for Lines {
    fn access(&self, access: &Access) {
        let line = format!("{access}\n");
        // A request counts though it cannot be written down.
        let _ = match &self.0 {
            Some(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()),
            None => io::stderr().lock().write_all(line.as_bytes()),
        };
    }

    fn problem(&self, message: &str) {
        complain(message);
    }
}
