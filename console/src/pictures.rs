//! Small pictures that were drawn already, as many as fit into their room. The one that was kept first goes first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ghost_contract::JobId;

/// Their room, bytes: the thumbnails of 300 clients.
const ROOM: usize = 12 << 20;

type Key = (JobId, String);

#[derive(Debug, Default)]
struct Kept {
    pictures: BTreeMap<Key, Arc<[u8]>>,
    order: VecDeque<Key>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Pictures(Mutex<Kept>);

impl Pictures {
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<[u8]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pictures.get(key).cloned()
    }

    pub(crate) fn keep(&self, key: Key, picture: &Arc<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if picture.len() > ROOM || kept.pictures.contains_key(&key) {
            return;
        }
        kept.bytes += picture.len();
        kept.order.push_back(key.clone());
        kept.pictures.insert(key, Arc::clone(picture));
        while kept.bytes > ROOM
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.bytes -= kept.pictures.remove(&oldest).map_or(0, |gone| gone.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        ("a".parse().unwrap(), format!("{number:04}-interval"))
    }

    #[test]
    fn what_does_not_fit_goes_the_oldest_first() {
        let pictures = Pictures::default();
        let quarter: Arc<[u8]> = vec![0; ROOM / 4].into();
        (0..6).for_each(|number| pictures.keep(key(number), &quarter));
        let kept: Vec<usize> = (0..6).filter(|number| pictures.get(&key(*number)).is_some()).collect();
        assert_eq!(kept, [2, 3, 4, 5]);
        pictures.keep(key(7), &vec![0; ROOM + 1].into());
        assert!(pictures.get(&key(7)).is_none() && pictures.get(&key(2)).is_some());
    }
}
