// SPDX-License-Identifier: GPL-2.0

//! Plugins made from a `struct module`.
//!
//! The tables are the module loader's own, borrowed in place.

use crate::{
    modreg::{
        bindings::{
            modreg_plugin_desc,
            modreg_symtab, //
        },
        capi::{
            descriptor::{
                borrow,
                is_quiet,
                Maker,
                Start, //
            },
            string, //
        },
        error::Refusal,
        name::Name,
        plugin::PluginRef,
        registry::{
            self,
            Content,
            Regions,
            Request, //
        },
        tables::{
            exports::Exports,
            extable::Extable,
            region::Region,
            symtab::SearchedBy,
            Tables, //
        },
    },
    primitives::{
        borrowed::Borrowed,
        callback::Callback,
        cstr::ThinCStr,
        module::{
            Module,
            ModuleState, //
        },
        rcu::RcuOwned, //
    },
};
use kernel::{
    bindings,
    prelude::*, //
};

/// Returns the module that C passes, or [`None`] for null.
///
/// # Safety
///
/// `module` must be null, or a module as documented for `modreg_register_module()`, during `'a`.
pub(super) unsafe fn of<'a>(module: *mut bindings::module) -> Option<&'a Module> {
    // SAFETY: By the safety requirements `module` is null or stays loaded during `'a`.
    unsafe { Module::from_raw(module) }
}

/// Registers `module` as a plugin.
///
/// # Errors
///
/// As `modreg_register_module()`.
///
/// # Safety
///
/// `module` and `desc` must be as documented for `modreg_register_module()`.
pub(super) unsafe fn register(
    module: &Module,
    desc: Option<&modreg_plugin_desc>,
) -> Result<PluginRef, Refusal> {
    let default = modreg_plugin_desc::default();
    let desc = desc.unwrap_or(&default);
    let has_tables = !desc.owner.is_null()
        || !desc.regions.is_null()
        || !desc.symbols.is_null()
        || !desc.symtab.is_null()
        || !desc.extable.is_null();
    if has_tables || desc.num_regions | desc.num_symbols | desc.num_exentries != 0 {
        return Err(Refusal::new(
            EINVAL,
            "a module's descriptor has tables or an owner",
        ));
    }
    // SAFETY: `desc.name` is null or a string, as documented for `struct modreg_plugin_desc`.
    let name = Name::new(unsafe { string(desc.name) }.unwrap_or(module.name()))?;
    // SAFETY: The parameters, arguments and callbacks of `desc` are as documented for
    // `struct modreg_plugin_desc`.
    let (start, exit) = unsafe { (Start::new(desc)?, Callback::new(desc.exit, desc.data)) };
    let coming = match module.state() {
        ModuleState::Live => false,
        ModuleState::Coming => true,
        ModuleState::Going | ModuleState::Unformed => {
            return Err(registry::OWNER_GOING);
        }
    };
    let request = Request {
        name,
        owner: module,
        follows_owner: coming,
        quiet: is_quiet(desc)?,
        exit,
    };
    // SAFETY: `module` is in a state documented for `modreg_register_module()`, and COMING if
    // `with_init` is `true`. The LIVE event takes the tables that borrow init memory away from
    // readers before the kernel frees it.
    let tables = |with_init| unsafe { tables(module, with_init) };
    let content = || {
        Ok(Content {
            regions: regions(module, coming)?,
            full: tables(coming)?,
            core: coming.then(|| tables(false)).transpose()?,
        })
    };
    let start = start.map(|start| || start.run());
    registry::register(request, content, start)
}

/// The memory types, and whether each is init memory. Init memory comes last.
const TYPES: [(bindings::mod_mem_type, bool); 7] = [
    (bindings::mod_mem_type_MOD_TEXT, false),
    (bindings::mod_mem_type_MOD_DATA, false),
    (bindings::mod_mem_type_MOD_RODATA, false),
    (bindings::mod_mem_type_MOD_RO_AFTER_INIT, false),
    (bindings::mod_mem_type_MOD_INIT_TEXT, true),
    (bindings::mod_mem_type_MOD_INIT_DATA, true),
    (bindings::mod_mem_type_MOD_INIT_RODATA, true),
];

/// Returns the regions of `module`, with or without its init memory.
fn regions(module: &Module, with_init: bool) -> Result<Regions, Refusal> {
    let mut regions = Regions::new();
    for (kind, init) in TYPES.into_iter().filter(|(_, init)| with_init || !init) {
        let text = matches!(
            kind,
            bindings::mod_mem_type_MOD_TEXT | bindings::mod_mem_type_MOD_INIT_TEXT
        );
        let (base, size) = module.memory(kind);
        // A module may have no memory of a type.
        if let Some(region) = Region::new(base, size, text, init) {
            regions.push(region)?;
        }
    }
    Ok(regions)
}

/// Makes the tables of `module`, with or without what is in its init memory.
///
/// # Safety
///
/// `module` must be in a state documented for `modreg_register_module()`, and COMING if `with_init`
/// is `true`.
unsafe fn tables(module: &Module, with_init: bool) -> Result<RcuOwned<Tables>, Refusal> {
    // SAFETY: By the safety requirements `module` is COMING if `with_init` is `true`.
    let kallsyms = unsafe { module.kallsyms(with_init) };
    // SAFETY: The module loader made these tables. `core_kallsyms` exists as long as the module.
    // The init tables exist until the LIVE event has taken the result away from readers.
    let source = unsafe {
        let table = modreg_symtab {
            symtab: kallsyms.symtab,
            num_symtab: kallsyms.num_symtab,
            strtab: kallsyms.strtab,
            strtab_size: strtab_size(&kallsyms),
            typetab: kallsyms.typetab,
        };
        borrow(&table, Maker::ModuleLoader)
    }?;
    let regions = regions(module, with_init)?;
    // The exception table keeps the entries of init text. They are not found once their region is
    // gone, since a lookup begins with the region.
    // SAFETY: The module's GOING event takes the tables away from readers.
    let (owner, ksymtab, extable) = unsafe { (module.lend(), module.ksymtab(), module.extable()) };
    let all = self::regions(module, true)?;
    let extable = Extable::new(extable, &all, with_init)?;
    let by = SearchedBy::new(source.symbols(), &regions, &[])?;
    let exports = Some(Exports::Kernel(ksymtab));
    Ok(Tables::new(
        owner, &source, by, exports, extable, with_init,
    )?)
}

/// Returns the size of a module's string table, which the kernel does not keep.
///
/// The table ends behind the string that begins last.
///
/// # Safety
///
/// The module loader must have made `kallsyms`.
unsafe fn strtab_size(kallsyms: &bindings::mod_kallsyms) -> usize {
    // SAFETY: The loader's `symtab` has `num_symtab` elements.
    let syms = unsafe { Borrowed::new(kallsyms.symtab.cast_const(), kallsyms.num_symtab as usize) };
    let Some(last) = syms.iter().map(|sym| sym.st_name as usize).max() else {
        return 0;
    };
    // SAFETY: Each `st_name` of the loader's symbols is the offset of a NUL-terminated string.
    let name = unsafe { ThinCStr::from_ptr(kallsyms.strtab.wrapping_add(last)) };
    last.wrapping_add(name.to_cstr().count_bytes())
        .wrapping_add(1)
}
