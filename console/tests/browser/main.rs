//! The pages of the real `ghost-console` in a real browser, beside a boot server in the middle of a night: `make console-check`.

#[path = "../simulated/mod.rs"]
#[cfg(test)]
#[allow(dead_code, reason = "the bench uses the rest of it")]
mod simulated;

#[cfg(test)]
mod chromium;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod keyboard;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod news;
#[cfg(test)]
mod visitor;
