//! The end-to-end scenarios.
