// SPDX-License-Identifier: GPL-2.0

//! Keyed hashes of strings.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use super::{
    atomic::load_relaxed,
    bindings, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// A secret key for hashes of untrusted strings, as `hsiphash_key_t`.
///
/// Without the key, strings cannot be chosen to have one hash.
///
/// # Examples
///
/// ```
/// static KEY: HashKey = HashKey::new();
///
/// KEY.randomize();
/// assert_eq!(KEY.hash(b"filter"), KEY.hash(b"filter"));
/// ```
pub(crate) struct HashKey([Atomic<usize>; 2]);

impl HashKey {
    /// Creates a key that is not secret yet.
    pub(crate) const fn new() -> Self {
        Self([const { Atomic::new(0) }; 2])
    }

    /// Draws a secret key, as `get_random_bytes()`.
    ///
    /// Hashes from before are not valid any more.
    pub(crate) fn randomize(&self) {
        for word in &self.0 {
            let mut random = 0usize;
            // SAFETY: `random` is valid for writes of its size.
            unsafe {
                kernel::bindings::get_random_bytes(
                    (&raw mut random).cast::<c_void>(),
                    size_of_val(&random),
                )
            };
            word.store(random, Relaxed);
        }
    }

    /// Returns the hash of `bytes`, as `hsiphash()`.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u32 {
        let [a, b] = &self.0;
        // SAFETY: `bytes` is valid for reads of its length.
        unsafe {
            bindings::hsiphash(
                bytes.as_ptr().cast(),
                bytes.len(),
                load_relaxed(a),
                load_relaxed(b),
            )
        }
    }
}
