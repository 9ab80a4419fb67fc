//! Registries in memory.

use std::sync::Arc;

use consign::{
    oci::Descriptor,
    store::{Delivery, MemoryRegistry, Source, Store},
};

use super::repository;

#[tokio::test]
async fn a_blob_is_mounted_within_its_registry_only() {
    let registry = MemoryRegistry::default();
    let [here, there, elsewhere] =
        ["localhost:5000/a", "127.0.0.1:5000/b", "ghcr.io/a"].map(|name| registry.repository(&repository(name)));
    let blob = Descriptor::of("a/b", b"content");
    let nothing = Source::file("/nowhere");
    let from = repository("[::1]:5000/a");
    here.push_blob(&blob, &Source::bytes("content"), None).await.unwrap();
    assert_eq!(there.push_blob(&blob, &nothing, Some(&from)).await.unwrap(), Delivery::Mounted);
    assert_eq!(there.push_blob(&blob, &nothing, Some(&from)).await.unwrap(), Delivery::Existing);
    assert!(elsewhere.push_blob(&blob, &nothing, Some(&from)).await.is_err());
    let absent = Descriptor::of("a/b", b"other");
    assert_eq!(there.push_blob(&absent, &Source::bytes("other"), Some(&from)).await.unwrap(), Delivery::Copied);
}

#[test]
fn all_names_of_a_repository_are_one_store() {
    let registry = MemoryRegistry::default();
    let one = registry.repository(&repository("localhost:5000/a"));
    let same = registry.clone().repository(&repository("127.0.0.1:5000/a"));
    let other = registry.repository(&repository("localhost:5001/a"));
    assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    assert_eq!(registry.repositories(), ["localhost:5000/a", "localhost:5001/a"].map(repository));
}
