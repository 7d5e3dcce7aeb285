//! Whole jobs against a machine that is not there.
