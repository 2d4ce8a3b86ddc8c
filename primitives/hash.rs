// SPDX-License-Identifier: GPL-2.0

//! Hashes of strings that others choose.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use super::bindings;
use core::ffi::CStr;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// A secret key, without which nobody can choose strings of one hash, as `hsiphash_key_t`.
///
/// # Examples
///
/// ```
/// static KEY: HashKey = HashKey::new();
///
/// KEY.randomize();
/// assert_eq!(KEY.hash(c"filter"), KEY.hash(c"filter"));
/// ```
pub(crate) struct HashKey([Atomic<usize>; 2]);

impl HashKey {
    /// Creates a key that is not secret yet.
    pub(crate) const fn new() -> Self {
        Self([const { Atomic::new(0) }; 2])
    }

    /// Makes the key secret, as `get_random_bytes()`. Hashes from before are void.
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

    /// Returns the hash of a string's bytes, as `hsiphash()`.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn hash(&self, s: &CStr) -> u32 {
        let [a, b] = &self.0;
        // SAFETY: `s` is valid for reads of its bytes.
        unsafe {
            bindings::hsiphash(
                s.as_char_ptr().cast(),
                s.count_bytes(),
                a.load(Relaxed),
                b.load(Relaxed),
            )
        }
    }
}
