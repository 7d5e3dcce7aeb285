//! The real `ghost-console`, over its socket, beside a state folder as jobs leave it.

#[cfg(test)]
mod acting;
#[cfg(test)]
mod boot_server;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod by_tls;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod letting_in;
#[cfg(test)]
mod showing;
#[cfg(test)]
mod unit;
