//! An order for the tests, as the bytes that a client finds in its tree.

use ghost_contract::Order;
pub(crate) use ghost_contract::sample::order;

/// The file that the server has written.
pub(crate) fn order_file(order: &Order) -> Option<Vec<u8>> {
    Some(order.to_json().unwrap().into_bytes())
}
