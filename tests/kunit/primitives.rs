// SPDX-License-Identifier: GPL-2.0

//! The primitives: what a reader sees, and when memory is freed.

use crate::{
    modreg::lock::LOCK,
    primitives::{
        errno::edeadlk,
        preempt::{
            preemptible,
            PreemptGuard, //
        },
        rcu::{
            rcu_barrier,
            Held,
            RcuBox,
            RcuCell,
            RcuOwned, //
        },
        rculist::{
            rculist_head,
            Entry,
            Node, //
        },
        stop_machine::stop_machine, //
    },
};
use kernel::{
    prelude::*,
    str::CString,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// A number whose live instances are counted.
struct Counted(u32);

static ALIVE: Atomic<i32> = Atomic::new(0);

impl Counted {
    fn new(n: u32) -> Self {
        ALIVE.fetch_add(1, Relaxed);
        Self(n)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

fn alive() -> i32 {
    ALIVE.load(Relaxed)
}

fn boxed(n: u32) -> Result<RcuOwned<Counted>> {
    Ok(RcuBox::new(Counted::new(n))?)
}

fn cell(n: u32) -> Result<RcuCell<Counted, LOCK>> {
    let cell = RcuCell::empty();
    let _none = cell.replace(Some(boxed(n)?), &mut Held::new(&mut LOCK.lock()));
    Ok(cell)
}

fn load(cell: &RcuCell<Counted, LOCK>) -> Option<u32> {
    cell.load(&PreemptGuard::new()).map(|c| c.0)
}

rculist_head! {
    static LIST: RcuList<Counted, LOCK>;
}

fn add(n: u32) -> Result<Entry<Counted, LOCK>> {
    let node = Node::new(Counted::new(n))?;
    Ok(LIST.add(node, &mut Held::new(&mut LOCK.lock())))
}

/// Returns the numbers on the list as the digits of one number, in order.
fn listed() -> u32 {
    LIST.iter(&PreemptGuard::new())
        .fold(0, |digits, c| digits * 10 + c.0)
}

#[kunit_tests(modreg_preempt)]
mod preempt {
    use super::*;

    #[test]
    fn preempt_guard_disables_preemption() -> Result {
        check!(preemptible());
        let guard = PreemptGuard::new();
        check!(!preemptible());
        drop(guard);
        check!(preemptible());
        Ok(())
    }

    #[test]
    fn preempt_guard_nests() -> Result {
        let outer = PreemptGuard::new();
        drop(PreemptGuard::new());
        check!(!preemptible());
        drop(outer);
        check!(preemptible());
        Ok(())
    }
}

#[kunit_tests(modreg_rcu)]
mod rcu {
    use super::*;

    #[test]
    fn rcu_cell_empty_load() -> Result {
        let cell = RcuCell::<Counted, LOCK>::empty();
        check_eq!(load(&cell), None);
        let mut lock = LOCK.lock();
        let mut held = Held::new(&mut lock);
        check!(cell.load_held(&held).is_none());
        check!(cell.replace(Some(boxed(1)?), &mut held).is_none());
        drop(lock);
        check_eq!(load(&cell), Some(1));
        Ok(())
    }

    #[test]
    fn rcu_cell_drop_frees_value() -> Result {
        let before = alive();
        let cell = cell(1)?;
        check_eq!(load(&cell), Some(1));
        check_eq!(alive(), before + 1);
        drop(cell);
        check_eq!(alive(), before);
        Ok(())
    }

    #[test]
    fn rcu_cell_replace_waits_for_reader() -> Result {
        let before = alive();
        let cell = cell(1)?;
        let new = boxed(2)?;
        let mut lock = LOCK.lock();
        let guard = PreemptGuard::new();
        let one = cell.load(&guard);
        let old = cell.replace(Some(new), &mut Held::new(&mut lock));
        // Dropping it calls `call_rcu()`, whose grace period waits for the guard.
        drop(old);
        check_eq!(one.map(|c| c.0), Some(1));
        check_eq!(cell.load(&guard).map(|c| c.0), Some(2));
        check_eq!(alive(), before + 2);
        drop(guard);
        drop(lock);
        rcu_barrier();
        check_eq!(alive(), before + 1);
        Ok(())
    }

    #[test]
    fn rcu_cell_replace_with_none() -> Result {
        let before = alive();
        let cell = cell(1)?;
        let old = cell.replace(None, &mut Held::new(&mut LOCK.lock()));
        check!(old.is_some());
        check_eq!(load(&cell), None);
        drop(old);
        rcu_barrier();
        check_eq!(alive(), before);
        Ok(())
    }
}

#[kunit_tests(modreg_tailed)]
mod tailed {
    use super::*;
    use crate::primitives::{
        cstr::StrTab,
        tailed::Tailed, //
    };

    static CELL: RcuCell<Tailed<Counted, u64>, LOCK> = RcuCell::empty();

    /// Lengths around those of the allocator.
    #[test]
    fn tailed_elements_strings() -> Result {
        let mut numbers = KVec::new();
        for n in 0..40_u64 {
            let mut text = KVec::from_elem(b'x', n as usize * 5, GFP_KERNEL)?;
            if let Some(last) = text.last_mut() {
                *last = 0;
            }
            let strings = StrTab::new(&text[..]).ok_or(EINVAL)?;
            let tailed = RcuBox::with_tail(n, &numbers, strings)?;
            check_eq!(***tailed, n);
            check_eq!(tailed.elements(), &numbers[..]);
            let strings = tailed.strings();
            check_eq!(strings.as_bytes(), &text[..]);
            numbers.push(n, GFP_KERNEL)?;
        }
        Ok(())
    }

    #[test]
    fn tailed_retired_under_reader() -> Result {
        let before = alive();
        let new = |n| RcuBox::with_tail(Counted::new(n), &[7, 8, 9], StrTab::empty());
        let mut lock = LOCK.lock();
        let _none = CELL.replace(Some(new(1)?), &mut Held::new(&mut lock));
        let second = new(2)?;
        let guard = PreemptGuard::new();
        let first = CELL.load(&guard);
        let old = CELL.replace(Some(second), &mut Held::new(&mut lock));
        drop(old);
        check!(first.is_some_and(|first| first.0 == 1 && first.elements() == [7, 8, 9]));
        check!(CELL.load(&guard).is_some_and(|second| second.0 == 2));
        check_eq!(alive(), before + 2);
        drop(guard);
        drop(CELL.replace(None, &mut Held::new(&mut lock)));
        drop(lock);
        rcu_barrier();
        check_eq!(alive(), before);
        Ok(())
    }
}

#[kunit_tests(modreg_rculist)]
mod rculist {
    use super::*;

    #[test]
    fn rcu_list_add_iter_newest_first() -> Result {
        let (one, two, three) = (add(1)?, add(2)?, add(3)?);
        check_eq!(listed(), 321);
        check_eq!(two.0, 2);

        let mut lock = LOCK.lock();
        drop(two.remove(&mut Held::new(&mut lock)));
        check_eq!(listed(), 31);
        drop(three.remove(&mut Held::new(&mut lock)));
        check_eq!(listed(), 1);
        drop(one.remove(&mut Held::new(&mut lock)));
        drop(lock);
        check_eq!(listed(), 0);
        rcu_barrier();
        Ok(())
    }

    #[test]
    fn rcu_list_remove_under_reader() -> Result {
        let before = alive();
        let (one, two, three) = (add(1)?, add(2)?, add(3)?);
        let mut lock = LOCK.lock();
        let guard = PreemptGuard::new();
        let mut iter = LIST.iter(&guard);
        check_eq!(iter.next().map(|c| c.0), Some(3));
        let at = iter.next();
        drop(two.remove(&mut Held::new(&mut lock)));
        check_eq!(at.map(|c| c.0), Some(2));
        check_eq!(iter.next().map(|c| c.0), Some(1));
        check!(iter.next().is_none());
        check_eq!(LIST.iter(&guard).count(), 2);
        check_eq!(alive(), before + 3);
        drop(guard);

        drop(one.remove(&mut Held::new(&mut lock)));
        drop(three.remove(&mut Held::new(&mut lock)));
        drop(lock);
        rcu_barrier();
        check_eq!(alive(), before);
        Ok(())
    }
}

#[kunit_tests(modreg_stop_machine)]
mod stopped {
    use super::*;

    #[test]
    fn stop_machine_runs_once() -> Result {
        let mut runs = 0;
        stop_machine(|_stopped| runs += 1)?;
        check_eq!(runs, 1);
        Ok(())
    }

    #[test]
    fn stop_machine_returns_retired() -> Result {
        let before = alive();
        let (one, two) = (add(1)?, add(2)?);
        let cell = cell(3)?;
        let mut lock = LOCK.lock();
        let mut held = Held::new(&mut lock);
        let mut one = Some(one);
        let removed = stop_machine(|_stopped| {
            let one = one.take().map(|one| one.remove(&mut held));
            (one, cell.replace(None, &mut held))
        })?;
        check_eq!(listed(), 2);
        // They are owned, and freed without a grace period.
        check_eq!(removed.1.as_ref().map(|c| c.0), Some(3));
        drop(removed);
        check_eq!(alive(), before + 1);
        drop(two.remove(&mut held));
        drop(lock);
        rcu_barrier();
        check_eq!(alive(), before);
        Ok(())
    }

    #[test]
    fn stop_machine_refused_with_preemption_off() -> Result {
        let mut runs = 0;
        let guard = PreemptGuard::new();
        let refused = stop_machine(|_stopped| runs += 1);
        drop(guard);
        check!(refused.is_err());
        check_eq!(runs, 0);
        Ok(())
    }
}

/// Cells of the registry's lock: what a removal does is done here too.
#[kunit_tests(modreg_rcu_batch)]
mod batch {
    use super::*;
    use crate::primitives::rcu_batch::{
        empty_batch,
        BatchCell, //
    };

    fn cell(n: u32) -> Result<BatchCell<Counted, LOCK>> {
        let cell = BatchCell::empty();
        let _none = cell.replace(Some(boxed(n)?), &mut Held::new(&mut LOCK.lock()));
        Ok(cell)
    }

    fn load(cell: &BatchCell<Counted, LOCK>) -> Option<u32> {
        cell.load(&PreemptGuard::new()).map(|c| c.0)
    }

    #[test]
    fn rcu_batch_empty_marked() -> Result {
        let before = alive();
        let (one, two, stays) = (cell(1)?, cell(2)?, cell(3)?);
        let all = || (load(&one), load(&two), load(&stays));
        check_eq!(all(), (Some(1), Some(2), Some(3)));

        let mut lock = LOCK.lock();
        let mut held = Held::new(&mut lock);
        one.mark(&mut held);
        two.mark(&mut held);
        let marked = all();
        let mut seen = (None, None, None);
        let (emptied, (), done) = empty_batch(&mut held, |_held| {
            seen = (load(&one), load(&two), load(&stays));
        })?;
        let held_one = one.load_held(&held).map(|c| c.0);
        let after = all();
        let taken = (
            one.take(&emptied, &mut held),
            one.take(&emptied, &mut held),
            stays.take(&emptied, &mut held),
        );
        drop(lock);
        done?;
        check_eq!(marked, (Some(1), Some(2), Some(3)));
        check_eq!(seen, (None, None, Some(3)));
        check_eq!(after, (None, None, Some(3)));
        check_eq!(held_one, Some(1));
        check_eq!(taken.0.as_ref().map(|c| c.0), Some(1));
        check!(taken.1.is_none() && taken.2.is_none());
        // They are freed without a grace period.
        check_eq!(alive(), before + 3);
        drop(taken);
        check_eq!(alive(), before + 2);
        drop((one, two, stays));
        check_eq!(alive(), before);
        Ok(())
    }

    /// A caller that may be a reader empties nothing.
    #[test]
    fn rcu_batch_atomic() -> Result {
        let cell = cell(1)?;
        let mut lock = LOCK.lock();
        let mut held = Held::new(&mut lock);
        cell.mark(&mut held);
        let guard = PreemptGuard::new();
        let refused = empty_batch(&mut held, |_held| ());
        drop(guard);
        let there = load(&cell);
        let (emptied, (), done) = empty_batch(&mut held, |_held| ())?;
        let taken = cell.take(&emptied, &mut held);
        drop(lock);
        done?;
        check_eq!(refused.err(), Some(edeadlk()));
        check_eq!(there, Some(1));
        check_eq!(taken.map(|c| c.0), Some(1));
        Ok(())
    }

    /// The number of a batch comes again after four.
    #[test]
    fn rcu_batch_many() -> Result {
        let before = alive();
        let cell = cell(1)?;
        for n in 2..12 {
            let mut lock = LOCK.lock();
            let mut held = Held::new(&mut lock);
            let (old, (), done) = empty_batch(&mut held, |_held| ())?;
            let unmarked = cell.take(&old, &mut held);
            let stays = load(&cell);
            cell.mark(&mut held);
            let early = cell.take(&old, &mut held);
            let marked = load(&cell);
            let (emptied, (), done_too) = empty_batch(&mut held, |_held| ())?;
            let gone = load(&cell);
            let late = cell.take(&old, &mut held);
            let taken = cell.take(&emptied, &mut held);
            let _none = cell.replace(Some(boxed(n)?), &mut held);
            drop(lock);
            done.and(done_too)?;
            check_eq!((stays, marked, gone), (Some(n - 1), Some(n - 1), None));
            check!(unmarked.is_none() && early.is_none() && late.is_none());
            check!(taken.is_some());
        }
        drop(cell);
        check_eq!(alive(), before);
        Ok(())
    }
}

#[kunit_tests(modreg_sort)]
mod sort {
    use super::*;
    use crate::primitives::sort::sort_by;

    #[test]
    fn sort_by_short() -> Result {
        let mut none: [u32; 0] = [];
        sort_by(&mut none, |a, b| a.cmp(b));
        let mut one = [7];
        sort_by(&mut one, |a, b| a.cmp(b));
        check_eq!(one, [7]);
        let mut four = [3, 1, 2, 1];
        sort_by(&mut four, |a, b| a.cmp(b));
        check_eq!(four, [1, 1, 2, 3]);
        sort_by(&mut four, |a, b| b.cmp(a));
        check_eq!(four, [3, 2, 1, 1]);
        Ok(())
    }

    #[test]
    fn sort_by_many_pairs() -> Result {
        let mut state = 1_u32;
        let mut items = KVec::new();
        for i in 0..1000_u64 {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            items.push((state >> 22, i, !i), GFP_KERNEL)?;
        }
        sort_by(&mut items, |a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
        check!(items
            .iter()
            .zip(items.iter().skip(1))
            .all(|(a, b)| (a.0, a.1) < (b.0, b.1)));
        check!(items.iter().all(|item| item.2 == !item.1));
        check_eq!(items.iter().map(|item| item.1).sum::<u64>(), 499500);
        Ok(())
    }
}

#[kunit_tests(modreg_pages_exact)]
mod pages_exact {
    use super::*;
    use crate::primitives::{
        pages_exact::ExactVec,
        vec::FixedVec, //
    };
    use kernel::{
        alloc::{
            flags::__GFP_ZERO,
            Flags, //
        },
        bindings,
        page::PAGE_SIZE, //
    };

    /// Larger than the largest block of pages that there is.
    const HUGE: u32 = 3 << 20;

    fn is_vmalloc(size: usize, flags: Flags) -> Result<bool> {
        let vec = ExactVec::<u8>::with_capacity(size, flags)?;
        // SAFETY: The function takes any pointer.
        Ok(unsafe { bindings::is_vmalloc_addr(vec.as_ptr().cast()) })
    }

    #[test]
    fn exact_vec_is_where_it_fits() -> Result {
        for size in [PAGE_SIZE / 2, PAGE_SIZE, 5 * PAGE_SIZE] {
            check!(!is_vmalloc(size, GFP_KERNEL)?);
        }
        check!(is_vmalloc(HUGE as usize * 4, GFP_KERNEL)?);
        check!(is_vmalloc(5 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO)?);
        Ok(())
    }

    #[test]
    fn exact_vec_grows() -> Result {
        let mut vec = ExactVec::new();
        for i in 0..HUGE {
            vec.push(i, GFP_KERNEL)?;
        }
        check!(vec.iter().copied().eq(0..HUGE));
        Ok(())
    }

    #[test]
    fn fixed_vec_from_large_capacity() -> Result {
        let before = alive();
        for len in [0, 3, 5000, 100_000] {
            let mut vec = ExactVec::with_capacity(HUGE as usize, GFP_KERNEL)?;
            for i in 0..len {
                vec.push(Counted::new(i), GFP_KERNEL)?;
            }
            let fixed = FixedVec::from(vec);
            check!(fixed.iter().map(|c| c.0).eq(0..len));
            check_eq!(alive(), before + len as i32);
            drop(fixed);
            check_eq!(alive(), before);
        }
        Ok(())
    }
}

#[kunit_tests(modreg_borrowed)]
mod borrowed {
    use super::*;
    use crate::primitives::{
        borrowed::Borrowed,
        cstr::{
            StrTab,
            ThinCStr, //
        },
    };
    use core::ptr;

    #[test]
    fn borrowed_deref() -> Result {
        static NUMBERS: [u32; 3] = [1, 2, 3];

        // SAFETY: Null is nothing, and a static stays.
        let (none, lent) = unsafe {
            (
                Borrowed::<u32>::new(ptr::null(), 5),
                Borrowed::new(NUMBERS.as_ptr(), 3),
            )
        };
        check!(none.is_empty());
        check!(Borrowed::<u32>::empty().is_empty());
        check!(ptr::eq(&*lent, &NUMBERS));
        Ok(())
    }

    #[test]
    fn thin_cstr_eq_and_hash() -> Result {
        check!(ThinCStr::from(c"").is_empty());
        check!(!ThinCStr::from(c"a").is_empty());
        check!(ThinCStr::from(c"a").cmp(c"b".into()).is_lt());
        check!(ThinCStr::from(c"ab").cmp(c"a".into()).is_gt());
        check!(ThinCStr::from(c"ab").cmp(c"ab".into()).is_eq());
        check!(ThinCStr::from(c"abc").to_cstr() == c"abc");
        Ok(())
    }

    #[test]
    fn thin_cstr_display_escapes() -> Result {
        for (name, shown) in [
            (c"f.1+$~", c"f.1+$~"),
            (c"a b", c"a\\x20b"),
            (c"a\nb\t", c"a\\x0ab\\x09"),
            (c"\x1b[2J\xff", c"\\x1b[2J\\xff"),
        ] {
            let text = CString::try_from_fmt(fmt!("{}", ThinCStr::from(name)))?;
            check!(&*text == shown);
        }
        check!(ThinCStr::from(c"f.1").is_graphic());
        check!(!ThinCStr::from(c"f 1").is_graphic());
        Ok(())
    }

    #[test]
    fn hash_key_is_secret() -> Result {
        use crate::primitives::hash::HashKey;

        let (one, two) = (HashKey::new(), HashKey::new());
        check_eq!(one.hash(b"ab"), two.hash(b"ab"));
        one.randomize();
        two.randomize();
        let same = |(a, b): (&[u8], &[u8])| one.hash(a) == one.hash(b);
        check!(same((b"ab", b"ab")));
        check!(!same((b"ab", b"ba")));
        // Two keys agree about a name once in 2^32 times, about three never.
        check!([b"a", b"b", b"c"]
            .into_iter()
            .any(|s| one.hash(s) != two.hash(s)));
        Ok(())
    }

    #[test]
    fn thin_cstr_is_mapping_symbol() -> Result {
        for (name, mapping) in [
            (c"$x", true),
            (c".L1", true),
            (c"L0", true),
            (c"", false),
            (c".", false),
            (c".text", false),
            (c"L", false),
            (c"L1", false),
            (c"x$", false),
        ] {
            check_eq!(ThinCStr::from(name).is_mapping_symbol(), mapping);
        }
        Ok(())
    }

    #[test]
    fn thin_cstr_copy_to_truncates() -> Result {
        let mut buf = [0xff; 4];
        check_eq!(ThinCStr::from(c"abc").copy_to(&mut buf), 3);
        check_eq!(buf, *b"abc\0");
        check!(ThinCStr::from(c"abcd").copy_to(&mut buf) < 0);
        check_eq!(buf, *b"abc\0");
        check_eq!(ThinCStr::from(c"").copy_to(&mut buf), 0);
        check_eq!(buf[0], 0);
        Ok(())
    }

    #[test]
    fn str_tab_new_needs_nul() -> Result {
        let table = crate::tests::kunit::some(StrTab::new(&b"\0ab\0c\0"[..]))?;
        check!(table.get(0).is_empty());
        check!(table.get(1).to_cstr() == c"ab");
        check!(table.get(2).to_cstr() == c"b");
        check!(table.get(4).to_cstr() == c"c");
        check!(table.get(6).is_empty());
        check!(table.get(u32::MAX).is_empty());
        check!(StrTab::new(&b"ab"[..]).is_none());
        check!(StrTab::new(&b""[..]).is_some_and(|t| t.get(0).is_empty()));
        Ok(())
    }
}
