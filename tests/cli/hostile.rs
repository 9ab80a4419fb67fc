//! What others may put into folders and registries.
