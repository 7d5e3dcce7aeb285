//! PID 1 of the diskless client.
