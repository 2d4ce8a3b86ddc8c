// SPDX-License-Identifier: GPL-2.0

//! Ranges of addresses, against a search that looks at all.

use crate::{
    modreg::lock::LOCK,
    primitives::{
        preempt::PreemptGuard,
        range_tree::{
            RangeTree,
            Spares, //
        },
        rcu::Held,
        rcu_counted::RcuCounted, //
    },
};
use kernel::prelude::*;

static TREE: RangeTree<usize, LOCK> = RangeTree::new();

/// Adds the `size` bytes at `base`, which are mapped to `base`.
fn insert(base: usize, size: usize) -> Result {
    let value = RcuCounted::new(base)?;
    let spares = Spares::new(TREE.shortage(1))?;
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    TREE.refill(spares, &mut held);
    TREE.insert(base, size, value, base % 8, &mut held);
    Ok(())
}

fn remove(base: usize) -> bool {
    let mut lock = LOCK.lock();
    let value = TREE.remove(base, &mut Held::new(&mut lock));
    value.is_some_and(|value| **value == base)
}

/// Returns base and size of the range of an address, if its value and its marks are its own.
fn find(addr: usize) -> Option<(usize, usize)> {
    let guard = PreemptGuard::new();
    let found = TREE.find(addr, &guard)?;
    let is_own = *found.value == found.base && found.marks == found.base % 8;
    is_own.then_some((found.base, found.size))
}

fn overlaps(base: usize, size: usize) -> bool {
    let mut lock = LOCK.lock();
    TREE.overlap(base, size, &Held::new(&mut lock)).is_some()
}

fn clear() {
    let mut lock = LOCK.lock();
    let spares = TREE.clear(&mut Held::new(&mut lock));
    drop(lock);
    drop(spares);
}

/// Returns the next pseudo-random number.
fn next(state: &mut u32) -> usize {
    *state = state.wrapping_mul(1664525).wrapping_add(1013904223);
    (*state >> 8) as usize
}

#[kunit_tests(modreg_range_tree)]
mod tests {
    use super::*;

    /// In ascending, descending and mixed order, with gaps or without, through several levels.
    #[test]
    fn range_tree_insert_find_remove() -> Result {
        for (step, size) in [(16, 16), (16, 5)] {
            for order in 0..3 {
                // Enough for a fourth level, but in one order: with KASAN it takes long.
                let many = if order == 0 { 20_000 } else { 4_000 };
                let place = |i: usize| match order {
                    0 => i,
                    1 => many - 1 - i,
                    // Prime to the number of ranges.
                    _ => i * 7919 % many,
                };
                for i in 0..many {
                    insert((1 + place(i)) * step, size)?;
                }
                for i in 1..=many {
                    let range = Some((i * step, size));
                    check_eq!(find(i * step), range);
                    check_eq!(find(i * step + size - 1), range);
                    if size < step {
                        check_eq!(find(i * step + size), None);
                    }
                }
                check_eq!(find(step - 1), None);
                check_eq!(find((many + 1) * step), None);
                check_eq!(find(usize::MAX), None);
                for i in 0..many {
                    let base = (1 + i * 31 % many) * step;
                    check!(remove(base));
                    check_eq!(find(base), None);
                    check!(!remove(base));
                }
                check_eq!(TREE.shortage(0), 0);
            }
        }
        clear();
        Ok(())
    }

    /// Ranges of all sizes come and go, so that new ones cover where others began.
    #[test]
    fn range_tree_like_linear_search() -> Result {
        const ROOM: usize = 4000;

        let mut owners = KVVec::from_elem(0_usize, ROOM, GFP_KERNEL)?;
        let mut state = 1;
        for round in 0..30_000 {
            let base = 1 + next(&mut state) % (ROOM - 1);
            // There are times when most are removed, so that nodes become empty.
            let shrinks = round / 3000 % 2 == 1;
            let there = owners.get(base).copied().unwrap_or(0);
            if there != 0 && (shrinks || next(&mut state) % 4 == 0) {
                check!(remove(there));
                owners
                    .iter_mut()
                    .filter(|owner| **owner == there)
                    .for_each(|owner| *owner = 0);
            } else if !shrinks {
                let most = match next(&mut state) % 8 {
                    0 => 300,
                    1 => 40,
                    _ => 3,
                };
                let size = (1 + next(&mut state) % most).min(ROOM - base);
                let free = owners.iter().skip(base).take(size).all(|owner| *owner == 0);
                check_eq!(overlaps(base, size), !free);
                if free {
                    insert(base, size)?;
                    let mine = owners.iter_mut().skip(base).take(size);
                    mine.for_each(|owner| *owner = base);
                }
            }
            if round % 64 != 0 {
                continue;
            }
            for (addr, owner) in owners.iter().enumerate() {
                check_eq!(find(addr).map_or(0, |(base, _)| base), *owner);
            }
        }
        for base in 1..ROOM {
            if owners.get(base) == Some(&base) {
                check!(remove(base));
            }
        }
        clear();
        Ok(())
    }

    #[test]
    fn range_tree_last_addresses() -> Result {
        let base = usize::MAX - 15;
        insert(base, 15)?;
        insert(0, 1)?;
        check_eq!(find(usize::MAX - 1), Some((base, 15)));
        check_eq!(find(usize::MAX), None);
        check_eq!(find(0), Some((0, 1)));
        check_eq!(find(1), None);
        check!(remove(0) && remove(base));
        clear();
        Ok(())
    }
}
