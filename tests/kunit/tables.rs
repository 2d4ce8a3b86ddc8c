// SPDX-License-Identifier: GPL-2.0

//! What is registered: names, regions, symbols, exports and exception entries.

use crate::{
    modreg::{
        error::Refusal,
        name::Name,
        tables::{
            exports::{
                Export,
                ExportTab,
                Exports, //
            },
            extable::Extable,
            region::Region,
            symbols::Copies,
            symtab::SearchedBy,
            Tables, //
        },
    },
    primitives::{
        borrowed::Borrowed,
        pages_exact::ExactVec,
        rcu::RcuOwned, //
    },
    tests::kunit::{
        owner,
        some, //
    },
};
use core::ffi::CStr;
use kernel::{
    bindings::exception_table_entry,
    prelude::*, //
};

/// Address and name of a symbol to make; [`None`] if it is undefined.
pub(super) type Described<'a> = (Option<usize>, &'a CStr);

/// Copies symbols.
pub(super) fn copies(described: &[Described<'_>]) -> Result<Copies> {
    let mut copies = Copies::new();
    copies.reserve(described.len())?;
    for (value, name) in described {
        copies.push(name, *value, b't')?;
    }
    Ok(copies)
}

/// Makes tables of symbols.
pub(super) fn tables(
    described: &[Described<'_>],
    regions: &[Region],
    hidden: &[Region],
) -> Result<RcuOwned<Tables>> {
    let mut copies = copies(described)?;
    let source = copies.finish()?;
    let by = SearchedBy::new(source.symbols(), regions, hidden)?;
    let extable = Extable::new(Borrowed::empty(), &[], false).map_err(|refusal| refusal.error)?;
    Ok(Tables::new(owner(), &source, by, None, extable, false)?)
}

pub(super) fn region(base: usize, size: usize) -> Result<Region> {
    some(Region::new(base, size, true, false))
}

#[kunit_tests(modreg_name)]
mod name {
    use super::*;
    use crate::primitives::errno::enametoolong;

    fn name(text: &CStr) -> Result<Name> {
        Name::new(text).map_err(|invalid| Refusal::from(invalid).error)
    }

    fn error(text: &CStr) -> Option<Error> {
        name(text).err()
    }

    #[test]
    fn name_new_accepts() -> Result {
        for text in [c"a", c"my-plugin_2", c"!~.", c"x86"] {
            let name = name(text)?;
            check!(name.as_cstr() == text);
            check!(name.is(text.to_bytes()));
            check!(!name.is(b"b"));
        }
        Ok(())
    }

    #[test]
    fn name_new_refuses() -> Result {
        for text in [
            c"",
            c" ",
            c"a b",
            c"a:b",
            c":",
            c"a\n",
            c"\x7f",
            c"\xc3\xa4",
        ] {
            check_eq!(error(text), Some(EINVAL));
        }
        Ok(())
    }

    #[test]
    fn name_new_longest() -> Result {
        let limit = crate::modreg::bindings::MODREG_NAME_LEN as usize;
        for (length, expected) in [(limit - 1, None), (limit, Some(enametoolong()))] {
            let mut text = KVec::from_elem(b'x', length, GFP_KERNEL)?;
            text.push(0, GFP_KERNEL)?;
            let text = CStr::from_bytes_with_nul(&text).map_err(|_| EINVAL)?;
            check_eq!(error(text), expected);
        }
        Ok(())
    }

    #[test]
    fn name_eq() -> Result {
        check!(name(c"abc")? == name(c"abc")?);
        check!(name(c"abc")? != name(c"ab")?);
        Ok(())
    }
}

#[kunit_tests(modreg_region)]
mod regions {
    use super::*;

    #[test]
    fn region_new_refuses() -> Result {
        check!(Region::new(1, 0, true, false).is_none());
        check!(Region::new(usize::MAX, 2, true, false).is_none());
        check!(Region::new(2, usize::MAX, true, false).is_none());
        check!(Region::new(usize::MAX - 1, 1, true, false).is_some());
        check!(Region::new(0, 1, true, false).is_some());
        check!(Region::new(0, usize::MAX >> 3, true, false).is_some());
        check!(Region::new(0, (usize::MAX >> 3) + 1, true, false).is_none());
        Ok(())
    }

    #[test]
    fn region_marks() -> Result {
        for (text, init) in [(false, false), (false, true), (true, false), (true, true)] {
            let own = some(Region::new(usize::MAX - 8, 8, text, init))?;
            for (region, foreign) in [(own, false), (own.as_foreign(), true)] {
                check_eq!((region.base(), region.size()), (usize::MAX - 8, 8));
                check_eq!((region.is_text(), region.is_init()), (text, init));
                check_eq!(region.is_foreign(), foreign);
                check_eq!(region.end(), usize::MAX);
            }
        }
        Ok(())
    }

    #[test]
    fn region_contains() -> Result {
        let r = region(0x1000, 0x10)?;
        check!(!r.contains(0xfff));
        check!(r.contains(0x1000));
        check!(r.contains(0x100f));
        check!(!r.contains(0x1010));
        check!(!r.contains(0));
        check!(!r.contains(usize::MAX));
        Ok(())
    }

    #[test]
    fn region_overlaps() -> Result {
        let r = region(0x1000, 0x10)?;
        for (base, size, overlap) in [
            (0x0ff0, 0x10, false),
            (0x0ff0, 0x11, true),
            (0x1000, 0x10, true),
            (0x1004, 0x01, true),
            (0x0ff0, 0x100, true),
            (0x100f, 0x10, true),
            (0x1010, 0x10, false),
        ] {
            let other = region(base, size)?;
            check_eq!(r.overlaps(&other), overlap);
            check_eq!(other.overlaps(&r), overlap);
        }
        Ok(())
    }
}

#[kunit_tests(modreg_symtab)]
mod symtab {
    use super::*;

    fn find(tables: &Tables, region: &Region, addr: usize) -> Option<(usize, usize)> {
        tables
            .find(addr, region.base(), region.size())
            .map(|f| (f.offset, f.size))
    }

    fn name(tables: &Tables, region: &Region, addr: usize) -> bool {
        tables
            .find(addr, region.base(), region.size())
            .is_some_and(|f| !f.name.is_empty())
    }

    #[test]
    fn symtab_find_nearest_below() -> Result {
        let described = &[(Some(0x1020), c"b"), (Some(0x1008), c"a")];
        let regions = [region(0x1000, 0x40)?];
        let tables = tables(described, &regions, &[])?;
        let r = &regions[0];
        check_eq!(find(&tables, r, 0x1000), None);
        check_eq!(find(&tables, r, 0x1007), None);
        check_eq!(find(&tables, r, 0x1008), Some((0, 0x18)));
        check_eq!(find(&tables, r, 0x101f), Some((0x17, 0x18)));
        check_eq!(find(&tables, r, 0x1020), Some((0, 0x20)));
        check_eq!(find(&tables, r, 0x103f), Some((0x1f, 0x20)));
        let found = some(tables.find(0x1021, r.base(), r.size()))?;
        check!(found.name.to_cstr() == c"b");
        Ok(())
    }

    #[test]
    fn symtab_find_first_alias() -> Result {
        let described = &[
            (Some(0x1000), c"first"),
            (Some(0x1000), c"second"),
            (Some(0x1000), c"third"),
        ];
        let regions = [region(0x1000, 0x10)?];
        let tables = tables(described, &regions, &[])?;
        let symtab = tables.symtab();
        let found = some(tables.find(0x1005, 0x1000, 0x10))?;
        check!(found.name.to_cstr() == c"first");
        check_eq!(found.size, 0x10);
        check_eq!(symtab.len(), 3);
        Ok(())
    }

    #[test]
    fn symtab_find_skips() -> Result {
        let described = &[
            (Some(0x1000), c"f"),
            (Some(0x1001), c""),
            (Some(0x1002), c"$x"),
            (Some(0x1003), c".L1"),
            (None, c"elsewhere"),
            (Some(0x2000), c"outside"),
        ];
        let regions = [region(0x1000, 0x10)?];
        let tables = tables(described, &regions, &[])?;
        check_eq!(find(&tables, &regions[0], 0x1008), Some((8, 0x10)));
        Ok(())
    }

    #[test]
    fn symtab_find_region_end() -> Result {
        let described = &[(Some(0x3000), c"c"), (Some(0x1000), c"a")];
        // In any order; the middle region has no symbol.
        let regions = [
            region(0x3000, 0x10)?,
            region(0x1000, 0x10)?,
            region(0x2000, 0x10)?,
        ];
        let tables = tables(described, &regions, &[])?;
        check_eq!(find(&tables, &regions[0], 0x3008), Some((8, 0x10)));
        check_eq!(find(&tables, &regions[1], 0x1008), Some((8, 0x10)));
        check!(!name(&tables, &regions[2], 0x2008));
        Ok(())
    }

    #[test]
    fn symtab_new_hidden() -> Result {
        let described = &[
            (Some(0x2000), c"init"),
            (Some(0x1000), c"stays"),
            (Some(0x2004), c"twice"),
            (Some(0x1004), c"twice"),
        ];
        let core = [region(0x1000, 0x10)?];
        let hidden = [region(0x2000, 0x10)?];
        let tables = tables(described, &core, &hidden)?;
        let symtab = tables.symtab();
        check_eq!(symtab.len(), 2);
        check_eq!(symtab.nth(0), Some(1));
        check_eq!(symtab.nth(1), Some(3));
        check_eq!(symtab.nth(2), None);
        Ok(())
    }

    #[test]
    fn symtab_new_empty() -> Result {
        let regions = [region(0x1000, 0x10)?];
        let tables = tables(&[], &regions, &[])?;
        let symtab = tables.symtab();
        check_eq!(symtab.len(), 0);
        check_eq!(symtab.nth(0), None);
        check_eq!(find(&tables, &regions[0], 0x1000), None);
        Ok(())
    }

    /// Numbers and lengths on both sides of what is part of the tables.
    #[test]
    fn tables_symbols_few_and_many() -> Result {
        for (count, length) in (0..12).flat_map(|n| [1, 7, 15, 40, 100, 200].map(|l| (n, l))) {
            let mut texts = KVec::new();
            for i in 0..count {
                let mut text = KVec::from_elem(b'a' + i, length, GFP_KERNEL)?;
                text.push(0, GFP_KERNEL)?;
                texts.push(text, GFP_KERNEL)?;
            }
            let mut described = KVec::new();
            for (i, text) in texts.iter().enumerate() {
                let name = CStr::from_bytes_with_nul(text).map_err(|_| EINVAL)?;
                described.push((Some(0x1000 + i), name), GFP_KERNEL)?;
            }
            let tables = tables(&described, &[region(0x1000, 0x10)?], &[])?;
            let symbols = tables.symbols();
            check_eq!(symbols.len() as usize, described.len());
            let bytes = described.len() * (16 + length + 1);
            let in_tail = described.len() <= 8 && bytes <= 192;
            check_eq!(
                tables.elements().len(),
                if in_tail { described.len() } else { 0 }
            );
            for (i, (value, name)) in described.iter().enumerate() {
                let at = i as u32;
                check_eq!(Some(symbols.value(at)), *value);
                check_eq!(symbols.letter(at), b't');
                check!(symbols.is_defined(at));
                check!(symbols.name(at).to_cstr() == *name);
                let found = some(tables.find(0x1000 + i, 0x1000, 0x10))?;
                check!(found.name.to_cstr() == *name);
            }
            check!(symbols.name(symbols.len()).is_empty());
        }
        Ok(())
    }

    /// Every address in tables of each length, compared with a linear search. Two regions are
    /// adjacent, or so far apart that the order is searched without samples.
    #[test]
    fn symtab_find_like_linear_search() -> Result {
        const BASE: usize = 0x10000;

        let mut state = 7_u32;
        let counts = Iterator::chain(0..40, [100, 511, 512, 513]);
        for (count, apart) in counts.flat_map(|n| [(n, 0), (n, 1 << 40)]) {
            let (size, half) = (3 * count + 4, 3 * count / 2 + 1);
            let place = |at: usize| BASE + at + if at < half { 0 } else { apart };
            let mut described = KVec::new();
            for _ in 0..count {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                let value = place((state >> 16) as usize % (3 * count));
                described.push((Some(value), c"s"), GFP_KERNEL)?;
            }
            let regions = [region(BASE, half)?, region(place(half), size - half)?];
            let tables = tables(&described, &regions, &[])?;
            for addr in (0..size).map(place) {
                let r = some(regions.iter().find(|r| r.contains(addr)))?;
                let inside = || {
                    described
                        .iter()
                        .filter_map(|d| d.0)
                        .filter(|&v| r.contains(v))
                };
                let next = inside()
                    .filter(|&v| v > addr)
                    .min()
                    .unwrap_or(r.base() + r.size());
                let expected = inside()
                    .filter(|&v| v <= addr)
                    .max()
                    .map(|v| (addr - v, next - v));
                check_eq!(find(&tables, r, addr), expected);
            }
        }
        Ok(())
    }
}

#[kunit_tests(modreg_exports)]
mod exports {
    use super::*;

    #[test]
    fn exports_find() -> Result {
        let mut copies = copies(&[
            (Some(3), c"twice"),
            (Some(1), c"zeta"),
            (Some(4), c"twice"),
            (Some(2), c"alpha"),
            (Some(5), c"private"),
        ])?;
        let mut marked = ExactVec::new();
        for (symbol, gpl_only) in [(0, false), (1, true), (2, true), (3, false)] {
            marked.push(Export { symbol, gpl_only }, GFP_KERNEL)?;
        }
        let source = copies.finish()?;
        let exports = Exports::marked(source.symbols(), marked);
        let exports = ExportTab::new(&exports, source.symbols());
        check_eq!(exports.find(c"twice".into()), Some((3, false)));
        check_eq!(exports.find(c"zeta".into()), Some((1, true)));
        check_eq!(exports.find(c"alpha".into()), Some((2, false)));
        for name in [c"private", c"", c"a", c"alphas", c"zz"] {
            check_eq!(exports.find(name.into()), None);
        }
        Ok(())
    }

    #[test]
    fn exports_find_in_empty() -> Result {
        let mut copies = copies(&[])?;
        let source = copies.finish()?;
        let exports = Exports::marked(source.symbols(), ExactVec::new());
        let exports = ExportTab::new(&exports, source.symbols());
        check_eq!(exports.find(c"a".into()), None);
        Ok(())
    }
}

#[kunit_tests(modreg_extable)]
mod extable {
    use super::*;
    use crate::primitives::module::ex_to_insn;
    use core::ptr;

    /// Makes entries for instructions that are `distances` apart, beginning at the table itself.
    fn entries(distances: &[i32]) -> Result<KVec<exception_table_entry>> {
        let mut table: KVec<exception_table_entry> = KVec::with_capacity(8, GFP_KERNEL)?;
        let start = table.as_ptr() as usize;
        for (i, distance) in distances.iter().enumerate() {
            let at = start + i * size_of::<exception_table_entry>();
            let entry = exception_table_entry {
                insn: (*distance - (at - start) as i32) as _,
                ..Default::default()
            };
            table.push(entry, GFP_KERNEL)?;
        }
        Ok(table)
    }

    fn extable(table: &[exception_table_entry], regions: &[Region]) -> Result<Extable> {
        // SAFETY: The tests keep the table longer.
        let lent = unsafe { Borrowed::new(table.as_ptr(), table.len()) };
        Extable::new(lent, regions, false).map_err(|refusal| refusal.error)
    }

    #[test]
    fn extable_search() -> Result {
        let table = entries(&[0, 4, 5, 12, 100])?;
        let start = table.as_ptr() as usize;
        let regions = [region(start, 0x100)?];
        let extable = extable(&table, &regions)?;
        for addr in start - 1..start + 0x100 {
            let expected = table.iter().find(|&e| ex_to_insn(e) == addr);
            let found = extable.search(addr);
            check_eq!(found.map(ptr::from_ref), expected.map(ptr::from_ref));
        }
        check_eq!(extable.search(start + 12).is_some(), true);
        Ok(())
    }

    #[test]
    fn extable_new_refuses() -> Result {
        let table = entries(&[0, 8, 4])?;
        let start = table.as_ptr() as usize;
        let regions = [region(start, 0x100)?];
        check_eq!(extable(&table, &regions).err(), Some(EINVAL));
        let table = entries(&[0, 8, 0x100])?;
        let start = table.as_ptr() as usize;
        check_eq!(
            extable(&table, &[region(start, 0x100)?]).err(),
            Some(ERANGE)
        );
        check_eq!(extable(&table, &[]).err(), Some(ERANGE));
        // The region is no text.
        let data = [some(Region::new(start, 0x1000, false, false))?];
        check_eq!(extable(&table, &data).err(), Some(ERANGE));
        check!(extable(&[], &[]).is_ok());
        Ok(())
    }
}
