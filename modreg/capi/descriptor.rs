// SPDX-License-Identifier: GPL-2.0

//! Plugins made from a `struct modreg_plugin_desc`.
//!
//! Each member is checked, and each fault has one error.

use crate::{
    modreg::{
        bindings::{
            modreg_plugin_desc,
            modreg_plugin_flags_MODREG_QUIET as QUIET,
            modreg_region,
            modreg_region_flags_MODREG_INIT as INIT,
            modreg_region_flags_MODREG_TEXT as TEXT,
            modreg_symbol,
            modreg_symbol_flags_MODREG_EXPORT as EXPORT,
            modreg_symbol_flags_MODREG_EXPORT_GPL as EXPORT_GPL,
            modreg_symtab,
            MODREG_MAX_REGIONS,
            MODREG_MAX_SYMBOLS, //
        },
        capi::{
            array,
            params,
            string, //
        },
        error::Refusal,
        foreign,
        lookup::is_foreign,
        name::Name,
        plugin::{
            Plugin,
            PluginRef, //
        },
        registry::{
            self,
            Content,
            Regions,
            Request, //
        },
        tables::{
            exports::{
                Export,
                ExportTab,
                Exports, //
            },
            extable::Extable,
            region::Region,
            symbols::{
                Copies,
                Lent,
                Shared,
                Source,
                Symbols, //
            },
            symtab::SearchedBy,
            Tables, //
        },
    },
    primitives::{
        borrowed::Borrowed,
        callback::Callback,
        cstr::{
            StrTab,
            ThinCStr, //
        },
        errno::enametoolong,
        module::Module,
        pages_exact::ExactVec,
        preempt::PreemptGuard, //
    },
};
use kernel::{
    alloc::AllocError,
    bindings::{
        exception_table_entry,
        KSYM_NAME_LEN, //
    },
    error::to_result,
    prelude::*,
    sync::Arc, //
};

/// The start of a published plugin: its arguments and its init callback.
///
/// # Invariants
///
/// - `desc`: the parameters and arguments are as documented for `struct modreg_plugin_desc`, and
///   [`params::check`] has accepted the parameters.
pub(super) struct Start<'a> {
    desc: &'a modreg_plugin_desc,
    init: Callback<c_int>,
}

impl<'a> Start<'a> {
    /// Checks the parameters of `desc`.
    ///
    /// Returns [`None`] if there are neither arguments nor an init callback.
    ///
    /// # Errors
    ///
    /// As [`params::check`].
    ///
    /// # Safety
    ///
    /// The parameters, arguments and callbacks of `desc` must be as documented for
    /// `struct modreg_plugin_desc` during `'a`.
    pub(super) unsafe fn new(desc: &'a modreg_plugin_desc) -> Result<Option<Self>, Refusal> {
        // SAFETY: By the safety requirements the parameters of `desc` are as documented.
        unsafe { params::check(desc) }?;
        // SAFETY: By the safety requirements `desc.init` may be called with `desc.data` during `'a`.
        let init = unsafe { Callback::new(desc.init, desc.data) };
        // INVARIANT: The parameters and arguments are as documented by the safety requirements, and
        // were accepted above.
        Ok((!desc.args.is_null() || init.is_some()).then_some(Self { desc, init }))
    }

    /// Parses the arguments and calls the init callback.
    ///
    /// # Errors
    ///
    /// As [`params::parse`], and what the init callback returned.
    ///
    /// Context: May sleep.
    pub(super) fn run(self) -> Result<(), Refusal> {
        // SAFETY: By the type invariants the parameters and arguments of `desc` are as documented,
        // and `params::check()` has accepted the parameters.
        unsafe { params::parse(self.desc) }?;
        to_result(self.init.call().unwrap_or(0).min(0))
            .map_err(|e| Refusal::new(e, "its init failed"))
    }
}

/// Registers the plugin that `desc` describes.
///
/// # Errors
///
/// As `modreg_register_plugin()`.
///
/// # Safety
///
/// `desc` must be as documented for `modreg_register_plugin()`.
pub(super) unsafe fn register(desc: &modreg_plugin_desc) -> Result<PluginRef, Refusal> {
    // SAFETY: `desc.name` is null or a string, as documented for `struct modreg_plugin_desc`.
    let name = unsafe { string(desc.name) }.ok_or(Refusal::new(EINVAL, "no name"))?;
    let name = Name::new(name)?;
    // SAFETY: `desc.owner` is null or a module that stays loaded during the call, as documented for
    // `struct modreg_plugin_desc`.
    let owner = unsafe { Module::from_raw(desc.owner) };
    let owner = owner.ok_or(Refusal::new(EINVAL, "no owner"))?;
    // SAFETY: The parameters, arguments and callbacks of `desc` are as documented for
    // `struct modreg_plugin_desc`.
    let (start, exit) = unsafe { (Start::new(desc)?, Callback::new(desc.exit, desc.data)) };
    let request = Request {
        name,
        owner,
        follows_owner: false,
        quiet: is_quiet(desc)?,
        exit,
    };
    // SAFETY: The tables of `desc` are as documented for `struct modreg_plugin_desc`.
    let content = || unsafe { content(desc, owner) };
    let start = start.map(|start| || start.run());
    registry::register(request, content, start)
}

/// Returns whether the life of the plugin is not logged.
///
/// # Errors
///
/// `EINVAL` if a flag is unknown.
pub(super) fn is_quiet(desc: &modreg_plugin_desc) -> Result<bool, Refusal> {
    if desc.flags & !QUIET != 0 {
        return Err(Refusal::new(EINVAL, "unknown plugin flags"));
    }
    Ok(desc.flags & QUIET != 0)
}

/// Makes the tables of `desc`, a plugin of `owner`.
///
/// # Errors
///
/// As `modreg_register_plugin()` for regions, symbols and exception entries.
///
/// # Safety
///
/// The tables of `desc` must be as documented for `struct modreg_plugin_desc`.
// Its frame is gone when the plugin's init callback is called.
#[inline(never)]
unsafe fn content(desc: &modreg_plugin_desc, owner: &Module) -> Result<Content, Refusal> {
    // SAFETY: `desc.regions` is null or has `desc.num_regions` elements during the call, as
    // documented for `struct modreg_plugin_desc`.
    let described = unsafe {
        array(
            desc.regions,
            desc.num_regions,
            MODREG_MAX_REGIONS,
            "regions missing or too many",
        )
    }?;
    let regions = regions(&described, owner)?;
    let stay = regions.iter().position(Region::is_init);
    let (core, hidden) = regions
        .split_at_checked(stay.unwrap_or(regions.len()))
        .unwrap_or((&regions, &[]));

    let mut copies = Copies::new();
    // SAFETY: `desc.symbols` and `desc.symtab` are as documented for `struct modreg_plugin_desc`.
    let (source, exports) = unsafe { symbols(desc, &regions, &mut copies) }?;
    let tables = |hidden: &[Region], is_init: bool| {
        let symbols = source.symbols();
        let exports = exports_of(symbols, &exports, hidden)?;
        // SAFETY: `desc.extable` is null or has `desc.num_exentries` elements, which do not change
        // until the plugin is unregistered, as documented for `struct modreg_plugin_desc`. The
        // owner's GOING event takes the tables away from readers.
        let (extable, owner) = unsafe { (extable(desc, &regions, is_init)?, owner.lend()) };
        let visible = match is_init {
            true => &regions[..],
            false => core,
        };
        let by = SearchedBy::new(symbols, visible, hidden)?;
        Ok::<_, Refusal>(Tables::new(owner, &source, by, exports, extable, is_init)?)
    };
    let full = tables(&[], !hidden.is_empty())?;
    let core = match hidden {
        [] => None,
        _ => Some(tables(hidden, false)?),
    };
    Ok(Content {
        full,
        core,
        regions,
    })
}

/// Makes the exports of tables without what lies in `hidden`.
fn exports_of(
    symbols: Symbols<'_>,
    marked: &[Export],
    hidden: &[Region],
) -> Result<Option<Exports>, AllocError> {
    let mut seen = ExactVec::new();
    for export in marked {
        let value = symbols.value(export.symbol);
        if !hidden.iter().any(|r| r.contains(value)) {
            seen.push(*export, GFP_KERNEL)?;
        }
    }
    if seen.is_empty() {
        return Ok(None);
    }
    Ok(Some(Exports::marked(symbols, seen)))
}

/// Replaces the symbols and exception entries of a plugin by those of `desc`.
///
/// # Errors
///
/// As `modreg_replace_symbols()`.
///
/// # Safety
///
/// `desc` must be as documented for `modreg_replace_symbols()`.
pub(super) unsafe fn replace_symbols(
    plugin: &Plugin,
    desc: Option<&modreg_plugin_desc>,
) -> Result<(), Refusal> {
    let desc = desc.ok_or(Refusal::new(EINVAL, "no descriptor"))?;
    let others = !desc.name.is_null()
        || !desc.owner.is_null()
        || !desc.regions.is_null()
        || !desc.params.is_null()
        || !desc.args.is_null()
        || !desc.data.is_null()
        || desc.init.is_some()
        || desc.exit.is_some();
    if others || desc.num_regions | desc.num_params | desc.flags != 0 {
        return Err(Refusal::new(
            EINVAL,
            "a descriptor of symbols has other members",
        ));
    }
    let regions = plugin.regions();
    let core = regions.split(Region::is_init).next().unwrap_or(&[]);
    let make = || {
        let guard = PreemptGuard::new();
        let tables = plugin.tables(&guard);
        let tables = tables.ok_or(Refusal::new(EBUSY, "it is not live"))?;
        if tables.exports().is_some_and(ExportTab::is_kernels) {
            return Err(Refusal::new(EINVAL, "the symbols are those of a module"));
        }
        // SAFETY: The owner's GOING event takes the tables away from readers.
        let owner = unsafe { tables.owner.lend() };
        drop(guard);
        let mut copies = Copies::new();
        // SAFETY: `desc.symbols` and `desc.symtab` are as documented for `modreg_replace_symbols()`.
        let (source, exports) = unsafe { symbols(desc, core, &mut copies) }?;
        let symbols = source.symbols();
        // SAFETY: `desc.extable` is null or has `desc.num_exentries` elements, which do not change until
        // they are replaced or the plugin is unregistered, as documented for
        // `modreg_replace_symbols()`.
        let extable = unsafe { extable(desc, core, false) }?;
        let by = SearchedBy::new(symbols, core, &[])?;
        let exports = exports_of(symbols, &exports, &[])?;
        Ok(Tables::new(owner, &source, by, exports, extable, false)?)
    };
    registry::replace_symbols(plugin, make)
}

/// Checks regions, and puts those that stay in front of the init regions.
///
/// # Errors
///
/// - `EINVAL` if there are no regions, one is empty, wraps, is too large or has unknown flags, or two overlap.
/// - As [`foreign::check`].
fn regions(described: &[modreg_region], owner: &Module) -> Result<Regions, Refusal> {
    if described.is_empty() {
        return Err(Refusal::new(EINVAL, "no regions"));
    }
    let mut regions = Regions::new();
    regions.reserve(described.len())?;
    for init in [false, true] {
        for r in described.iter().filter(|r| (r.flags & INIT != 0) == init) {
            if r.flags & !(TEXT | INIT) != 0 {
                return Err(Refusal::new(EINVAL, "unknown region flags"));
            }
            let region = Region::new(r.base, r.size, r.flags & TEXT != 0, init).ok_or(
                Refusal::new(EINVAL, "a region is empty, wraps or is too large"),
            )?;
            if regions.iter().any(|other| other.overlaps(&region)) {
                return Err(Refusal::new(EINVAL, "its own regions overlap"));
            }
            let is_other = |addr| is_foreign(addr, &PreemptGuard::new());
            let region = foreign::check(region, owner, is_other)?;
            regions.push(region)?;
        }
    }
    Ok(regions)
}

/// Takes the symbols of `desc`, in one of two forms, and their exports. Copies are made in `copies`.
///
/// # Errors
///
/// As [`copy`] and [`borrow`], and `EINVAL` if both forms are given.
///
/// # Safety
///
/// `desc.symbols` and `desc.symtab` must be as documented for `struct modreg_plugin_desc`.
unsafe fn symbols<'a>(
    desc: &modreg_plugin_desc,
    regions: &[Region],
    copies: &'a mut Copies,
) -> Result<(Source<'a>, ExactVec<Export>), Refusal> {
    // SAFETY: By the safety requirements `desc.symbols` is null or has `desc.num_symbols` elements
    // during the call.
    let described = unsafe {
        array(
            desc.symbols,
            desc.num_symbols,
            MODREG_MAX_SYMBOLS,
            "symbols missing or too many",
        )
    }?;
    // SAFETY: By the safety requirements `desc.symtab` is null or valid for the call.
    match unsafe { desc.symtab.as_ref() } {
        Some(_) if !described.is_empty() => {
            Err(Refusal::new(EINVAL, "both symbols and a symbol table"))
        }
        // SAFETY: By the safety requirements `symtab` is as documented.
        Some(symtab) => Ok((unsafe { borrow(symtab, Maker::Caller) }?, ExactVec::new())),
        // SAFETY: By the safety requirements the names of `described` are null or strings.
        None => unsafe { copy(&described, regions, copies) },
    }
}

/// Copies symbols.
///
/// # Errors
///
/// - `EINVAL` if a symbol has no name or a character in it is not allowed, if its type is not valid,
///   or if it has unknown flags.
/// - `ENAMETOOLONG` if a name is too long.
/// - `ERANGE` if a symbol lies outside the regions.
/// - `E2BIG` if the names take 4 GiB.
/// - `ENOMEM` if out of memory.
///
/// # Safety
///
/// The names must be null or strings.
unsafe fn copy<'a>(
    described: &[modreg_symbol],
    regions: &[Region],
    copies: &'a mut Copies,
) -> Result<(Source<'a>, ExactVec<Export>), Refusal> {
    let nameless = Refusal::new(EINVAL, "a symbol has no name");
    copies.reserve(described.len())?;
    let mut exports = ExactVec::new();

    for (i, symbol) in described.iter().enumerate() {
        // SAFETY: By the safety requirements `symbol.name` is null or a string.
        let name = unsafe { string(symbol.name) }.ok_or(nameless)?;
        let bytes = name.to_bytes_with_nul();
        if name.is_empty() {
            return Err(nameless);
        }
        if bytes.len() > KSYM_NAME_LEN as usize {
            return Err(Refusal::new(enametoolong(), "a symbol's name is too long"));
        }
        if !ThinCStr::from(name).is_graphic() {
            return Err(ODD_SYMBOL);
        }
        let region = regions
            .iter()
            .find(|r| r.contains(symbol.value))
            .ok_or(Refusal::new(ERANGE, "a symbol lies outside the regions"))?;
        let letter = match symbol.type_ {
            0 if region.is_text() => b't',
            0 => b'd',
            letter if letter.is_ascii_graphic() => letter,
            _ => return Err(ODD_TYPE),
        };
        let flags = u32::from(symbol.flags);
        if flags & !(EXPORT | EXPORT_GPL) != 0 {
            return Err(Refusal::new(EINVAL, "unknown symbol flags"));
        }
        if flags != 0 {
            let export = Export {
                symbol: i as u32,
                gpl_only: flags & EXPORT_GPL != 0,
            };
            exports.push(export, GFP_KERNEL)?;
        }

        copies
            .push(name, Some(symbol.value), letter)
            .map_err(|error| match error {
                E2BIG => Refusal::new(E2BIG, "symbols missing or too many"),
                _ => AllocError.into(),
            })?;
    }
    let source = copies.finish().map_err(|error| match error {
        EINVAL => nameless,
        _ => AllocError.into(),
    })?;
    Ok((source, exports))
}

/// The refusal of a symbol whose name breaks a line of `kallsyms`.
const ODD_SYMBOL: Refusal = Refusal::new(EINVAL, "a character in a symbol's name is not allowed");

/// The refusal of a symbol whose type letter breaks a line of `kallsyms`.
const ODD_TYPE: Refusal = Refusal::new(EINVAL, "a symbol's type is no letter");

/// The maker of a symbol table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// The caller, whose names are refused if they are too long or not printable.
    Caller,
    /// The module loader, whose names are taken as they are.
    ModuleLoader,
}

/// Borrows an ELF symbol table.
///
/// # Errors
///
/// - `EINVAL` if a part is missing, the string table does not end in NUL, or a name lies outside it.
/// - `E2BIG` if there are too many symbols or the string table takes 4 GiB.
/// - `ENAMETOOLONG` if a name is too long.
/// - `EINVAL` if a character in a name, or a type, is not printable.
/// - `ENOMEM` if out of memory.
///
/// # Safety
///
/// `symtab` must be as documented for `struct modreg_symtab` until readers no longer use the result.
pub(super) unsafe fn borrow(
    symtab: &modreg_symtab,
    maker: Maker,
) -> Result<Source<'static>, Refusal> {
    const WHAT: &str = "symbols missing or too many";

    let num = symtab.num_symtab;
    // SAFETY: By the safety requirements `symtab.symtab` and `symtab.typetab` are null or have `num`
    // elements.
    let (syms, types) = unsafe {
        (
            array(symtab.symtab, num, MODREG_MAX_SYMBOLS, WHAT)?,
            array(symtab.typetab.cast::<u8>(), num, MODREG_MAX_SYMBOLS, WHAT)?,
        )
    };
    let size = u32::try_from(symtab.strtab_size)
        .map_err(|_| Refusal::new(E2BIG, "string table too large"))?;
    // SAFETY: By the safety requirements `symtab.strtab` is null or has `size` bytes.
    let strtab = unsafe {
        array(
            symtab.strtab.cast::<u8>(),
            size,
            u32::MAX,
            "no string table",
        )
    }?;
    if strtab.is_empty() && num != 0 {
        return Err(Refusal::new(EINVAL, "no string table"));
    }
    let names =
        StrTab::new(strtab).ok_or(Refusal::new(EINVAL, "the string table does not end in NUL"))?;
    for sym in syms.iter() {
        if sym.st_name >= size {
            return Err(Refusal::new(
                EINVAL,
                "a symbol's name lies outside the string table",
            ));
        }
        let name = names.get(sym.st_name);
        // What the module loader accepts is cut and escaped where it is used.
        if maker == Maker::Caller && name.to_cstr().count_bytes() >= KSYM_NAME_LEN as usize {
            return Err(Refusal::new(enametoolong(), "a symbol's name is too long"));
        }
        if maker == Maker::Caller && !name.is_graphic() {
            return Err(ODD_SYMBOL);
        }
    }
    if maker == Maker::Caller && !types.iter().all(u8::is_ascii_graphic) {
        return Err(ODD_TYPE);
    }
    let lent = Lent {
        syms,
        names,
        letters: types,
    };
    Ok(Source::Shared(Arc::new(Shared::Lent(lent), GFP_KERNEL)?))
}

/// Borrows the exception entries of `desc`.
///
/// # Errors
///
/// As [`Extable::new`], and `E2BIG` or `EINVAL` if the count is too large or the array is missing.
///
/// # Safety
///
/// `desc.extable` must be null or have `desc.num_exentries` elements, which do not change until
/// readers no longer use the result.
unsafe fn extable(
    desc: &modreg_plugin_desc,
    regions: &[Region],
    is_init: bool,
) -> Result<Extable, Refusal> {
    // SAFETY: By the safety requirements `desc.extable` is null or has `desc.num_exentries` elements
    // that do not change while readers use them.
    let entries: Borrowed<exception_table_entry> = unsafe {
        array(
            desc.extable,
            desc.num_exentries,
            MODREG_MAX_SYMBOLS,
            "exception entries missing or too many",
        )
    }?;
    Extable::new(entries, regions, is_init)
}
