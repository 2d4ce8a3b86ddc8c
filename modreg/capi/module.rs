// SPDX-License-Identifier: GPL-2.0

//! From `struct module` to a plugin: the loader's own tables, borrowed in place.

use crate::{
    modreg::{
        bindings::{
            modreg_plugin_desc,
            modreg_symtab, //
        },
        capi::{
            descriptor::{
                borrow,
                Start, //
            },
            string, //
        },
        error::Refusal,
        name::Name,
        plugin::Plugin,
        registry::{
            self,
            Content,
            Ownership, //
        },
        tables::{
            exports::Exports,
            extable::Extable,
            region::Region,
            symtab::Symtab,
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
    },
};
use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

/// The module that C passes; nothing where it is null.
///
/// # Safety
///
/// As `modreg_register_module()`; its GOING event removes the plugin.
pub(super) unsafe fn of(module: *mut bindings::module) -> Option<Module> {
    // SAFETY: By the requirement of this function.
    unsafe { Module::new(module) }
}

/// Registers `module` as a plugin.
///
/// # Safety
///
/// As `modreg_register_module()`.
pub(super) unsafe fn register(
    module: Module,
    desc: Option<&modreg_plugin_desc>,
) -> Result<Arc<Plugin>, Refusal> {
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
    // SAFETY: By the requirement of this function.
    let name = Name::new(unsafe { string(desc.name) }.unwrap_or(module.name()))?;
    // SAFETY: By the requirement of this function.
    let (start, exit) = unsafe { (Start::new(desc)?, Callback::new(desc.exit, desc.data)) };
    let coming = match module.state() {
        ModuleState::Live => false,
        ModuleState::Coming => true,
        ModuleState::Going | ModuleState::Unformed => {
            return Err(Refusal::new(ENODEV, "its owner is being unloaded"));
        }
    };
    let ownership = Ownership {
        owner: Some(module),
        follows: coming,
    };
    // SAFETY: By the requirement of this function. The init tables are only borrowed by what the
    // LIVE event takes away from readers, which is before the kernel frees them.
    let tables = |with_init| unsafe { tables(module, with_init) };
    let content = || {
        Ok(Content {
            full: tables(coming)?,
            core: coming.then(|| tables(false)).transpose()?,
        })
    };
    let start = start.map(|start| || start.run());
    registry::register(name, ownership, exit, content, start)
}

/// The memory types, those that stay before those of init.
const TYPES: [(bindings::mod_mem_type, bool); 7] = [
    (bindings::mod_mem_type_MOD_TEXT, false),
    (bindings::mod_mem_type_MOD_DATA, false),
    (bindings::mod_mem_type_MOD_RODATA, false),
    (bindings::mod_mem_type_MOD_RO_AFTER_INIT, false),
    (bindings::mod_mem_type_MOD_INIT_TEXT, true),
    (bindings::mod_mem_type_MOD_INIT_DATA, true),
    (bindings::mod_mem_type_MOD_INIT_RODATA, true),
];

fn regions(module: Module, with_init: bool) -> Result<KVec<Region>, Refusal> {
    let mut regions = KVec::with_capacity(TYPES.len(), GFP_KERNEL)?;
    for (kind, _) in TYPES.into_iter().filter(|(_, init)| with_init || !init) {
        let text = matches!(
            kind,
            bindings::mod_mem_type_MOD_TEXT | bindings::mod_mem_type_MOD_INIT_TEXT
        );
        let (base, size) = module.memory(kind);
        // A type may have no memory.
        if let Some(region) = Region::new(base, size, text) {
            regions.push(region, GFP_KERNEL)?;
        }
    }
    Ok(regions)
}

/// Makes the tables that `module` has during its init, or those that it has after.
///
/// # Safety
///
/// As `modreg_register_module()`; during init only where the module is COMING.
unsafe fn tables(module: Module, with_init: bool) -> Result<Tables, Refusal> {
    // SAFETY: By the requirement of this function.
    let kallsyms = unsafe { module.kallsyms(with_init) };
    // SAFETY: These are the loader's own tables. `core_kallsyms` stays as long as the module; for
    // init tables see `register()`.
    let symbols = unsafe {
        borrow(&modreg_symtab {
            symtab: kallsyms.symtab,
            num_symtab: kallsyms.num_symtab,
            strtab: kallsyms.strtab,
            strtab_size: strtab_size(&kallsyms),
            typetab: kallsyms.typetab,
        })
    }?;
    let mut regions = regions(module, with_init)?;
    // Init entries are in the exception table still. Once their region is gone they resolve to
    // nothing.
    let extable = Extable::new(module.extable(), &self::regions(module, true)?)?;
    Ok(Tables {
        symtab: Symtab::new(symbols, &mut regions, &[])?,
        exports: Arc::new(Exports::Kernel(module.ksymtab()), GFP_KERNEL)?,
        extable,
        regions,
        init: with_init,
    })
}

/// Bytes of a string table that the kernel keeps no size of: the string that begins last ends last.
///
/// # Safety
///
/// The tables must be the loader's.
unsafe fn strtab_size(kallsyms: &bindings::mod_kallsyms) -> usize {
    // SAFETY: By the requirement of this function.
    let syms = unsafe { Borrowed::new(kallsyms.symtab.cast_const(), kallsyms.num_symtab as usize) };
    let Some(last) = syms.iter().map(|sym| sym.st_name as usize).max() else {
        return 0;
    };
    // SAFETY: By the requirement of this function there is a string.
    let name = unsafe { ThinCStr::from_ptr(kallsyms.strtab.wrapping_add(last)) };
    last.wrapping_add(name.to_cstr().count_bytes())
        .wrapping_add(1)
}
