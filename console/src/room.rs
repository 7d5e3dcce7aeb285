//! How many of something are there at the same time: altogether, and of each one who takes them. So one alone cannot take all of it
//! from the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Room for so many, and for so many of each `K`.
#[derive(Debug)]
pub(crate) struct Room<K> {
    all: Arc<Semaphore>,
    share: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> Room<K> {
    pub(crate) fn new(all: usize, share: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), share, taken: Arc::default() }
    }

    /// Waits until there is a free place.
    pub(crate) async fn free(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.all).acquire_owned().await
    }

    /// A free place. None if all are taken.
    pub(crate) fn free_now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// Gives the free place to this one, for whom there is no limit without a name. None if it has its share already.
    pub(crate) fn give(&self, free: OwnedSemaphorePermit, to: Option<K>) -> Option<Place<K>> {
        if let Some(one) = &to {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let count = taken.entry(one.clone()).or_default();
            if *count >= self.share {
                return None;
            }
            *count += 1;
        }
        Some(Place { of: to, taken: Arc::clone(&self.taken), _free: free })
    }
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq> {
    of: Option<K>,
    taken: Arc<Mutex<HashMap<K, usize>>>,
    _free: OwnedSemaphorePermit,
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let Some(one) = &self.of else { return };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get_mut(one).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            taken.remove(one);
        }
    }
}

/// The machine that an address stands for. In IPv6 one machine may have a whole network of 64 bits.
pub(crate) fn machine(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => {
            let [a, b, c, d, ..] = long.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(room: &Room<&'static str>, who: Option<&'static str>) -> Option<Place<&'static str>> {
        room.give(room.free_now()?, who)
    }

    #[test]
    fn one_takes_its_share_and_leaves_the_rest_to_the_others() {
        let room = Room::new(5, 2);
        let mut of_one: Vec<_> = (0..2).map(|_| take(&room, Some("one")).unwrap()).collect();
        assert!(take(&room, Some("one")).is_none());
        let other = take(&room, Some("other")).unwrap();
        // Those without a name share what is left.
        let nameless: Vec<_> = (0..2).map(|_| take(&room, None).unwrap()).collect();
        assert!(take(&room, None).is_none() && take(&room, Some("other")).is_none());
        drop(nameless);
        of_one.pop();
        assert!(take(&room, Some("one")).is_some());
        drop((of_one, other));
        assert_eq!(room.all.available_permits(), 5);
        assert!(room.taken.lock().unwrap().is_empty(), "who has left is forgotten");
    }

    #[test]
    fn a_network_of_64_bits_is_one_machine() {
        let of = |text: &str| machine(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.168.7.1"), of("192.168.7.2"));
    }
}
