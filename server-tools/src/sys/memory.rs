//! How memory that was given back can be used again.
#![allow(unsafe_code, reason = "no crate sets this")]

/// Lets all threads share one arena of the C library's allocator. Each would have one of its own otherwise, and keep in it what
/// an edit of a large configuration has needed once.
pub fn share_arena() {
    // SAFETY: mallopt(3) takes two numbers and touches no memory of ours; no other thread runs yet.
    #[cfg(target_env = "gnu")]
    unsafe {
        // Zero says that it is not heeded, which only costs memory.
        let _is_heeded = libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
