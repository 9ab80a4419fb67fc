//! A server in this process, for tests to talk to.

use std::sync::Arc;

use consign::{
    oci::RegistryName,
    serve::{Access, Log, ServeOptions, Server},
    store::{
        Host, LayoutRoot, MemoryHost, MemoryRegistry, Store,
        registry::{Registries, RegistryOptions},
    },
};
use tokio::task::AbortHandle;

/// A server that ends with the test.
pub(crate) struct Running {
    pub(crate) name: RegistryName,
    task: AbortHandle,
}

impl Running {
    pub(crate) async fn start(host: Arc<dyn Host>, options: ServeOptions) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), host, options, Arc::new(Silence)).await.unwrap();
        let name = server.address().to_string().parse().unwrap();
        let task = tokio::spawn(server.run(std::future::pending())).abort_handle();
        Self { name, task }
    }

    /// With the repositories in memory.
    pub(crate) async fn in_memory(options: ServeOptions) -> Self {
        Self::start(memory(), options).await
    }

    /// A repository through the client that runs use.
    pub(crate) fn store(&self, name: &str) -> Arc<dyn Store> {
        Registries::new(RegistryOptions::default()).unwrap().repository(&self.name, &name.parse().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn memory() -> Arc<dyn Host> {
    Arc::new(MemoryHost::new(MemoryRegistry::default(), "localhost".parse().unwrap()))
}

pub(crate) fn layouts(root: &std::path::Path) -> Arc<dyn Host> {
    Arc::new(LayoutRoot::open(root).unwrap())
}

struct Silence;

impl Log for Silence {
    fn access(&self, _: &Access) {}

    fn problem(&self, message: &str) {
        panic!("{message}");
    }
}
