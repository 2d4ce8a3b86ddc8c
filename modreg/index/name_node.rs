// SPDX-License-Identifier: GPL-2.0

//! An element of the index by name.

use kernel::sync::atomic::Atomic;

/// The bit of an item that is the version of the tables.
pub(super) const VERSION: u32 = 31;

/// The other bits.
pub(super) const ITEM: u32 = (1 << VERSION) - 1;

/// A name.
///
/// Links are numbers of nodes, and 0 at the end.
///
/// # Invariants
///
/// - `key` is that of the name, which is odd.
/// - `owner` is the id of a plugin, and `item` what has the name: 0 for the plugin, then its symbols,
///   then its exports. Bit [`VERSION`] is that of its tables.
pub(crate) struct Node {
    /// The next element of the list, as long as this is one.
    pub(super) next: Atomic<u32>,
    /// The next older node with this key.
    pub(super) older: Atomic<u32>,
    /// The next newer node with this key, or 0 for one on the list.
    pub(super) newer: Atomic<u32>,
    /// The next node of the same plugin and version, or the next free node.
    pub(super) sibling: Atomic<u32>,
    /// See [`key`].
    pub(super) key: Atomic<u32>,
    /// The id of the plugin.
    pub(super) owner: Atomic<u32>,
    /// What of the plugin has the name, and the version.
    pub(super) item: Atomic<u32>,
}

impl Node {
    /// Returns a node that was never used.
    pub(super) fn free() -> Self {
        let zero = || Atomic::new(0);
        Self {
            next: zero(),
            older: zero(),
            newer: zero(),
            sibling: zero(),
            key: zero(),
            owner: zero(),
            item: zero(),
        }
    }
}

/// Returns where a hash comes on the list.
#[inline]
pub(super) fn key(hash: u32) -> u32 {
    hash.reverse_bits() | 1
}
