// SPDX-License-Identifier: GPL-2.0

//! The way to a leaf of a [`RangeTree`](super::RangeTree).

use super::node::Inner;

/// Inner nodes on the way to a leaf, at most. A level is added when its root is full, so it takes some 15
/// times as many insertions as the one before.
pub(super) const LEVELS: usize = 8;

/// The inner nodes from the root to a leaf, and the slot taken in each.
pub(super) struct Path<'h> {
    steps: [Option<(&'h Inner, usize)>; LEVELS],
    len: usize,
}

impl<'h> Path<'h> {
    pub(super) fn new() -> Self {
        Self {
            steps: [None; LEVELS],
            len: 0,
        }
    }

    pub(super) fn push(&mut self, inner: &'h Inner, at: usize) {
        if let Some(step) = self.steps.get_mut(self.len) {
            *step = Some((inner, at));
            self.len += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<(&'h Inner, usize)> {
        self.len = self.len.checked_sub(1)?;
        self.steps.get_mut(self.len)?.take()
    }
}
