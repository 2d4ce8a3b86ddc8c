// SPDX-License-Identifier: GPL-2.0

//! What debuggers read: `include/modreg_debug.h`.

use crate::{
    modreg::{
        name::Name,
        plugin::{
            list::PLUGINS,
            Plugin,
            PluginRef, //
        },
        tables::{
            region::Region,
            symtab::{
                Symbols,
                Symtab, //
            },
            Tables, //
        },
    },
    primitives::{
        borrowed::MaybeOwned,
        cstr::StrTab,
        rcu::RcuBox,
        rcu_counted::RcuCounted,
        rculist::{
            Node,
            RcuList, //
        },
    },
};
use bindings::{
    modreg_debug_info as DebugInfo,
    MODREG_DEBUG_MAGIC,
    MODREG_DEBUG_VERSION, //
};
use core::mem::offset_of;
use kernel::{
    bindings::Elf64_Sym,
    sync::Refcount, //
};

/// Bindings to `include/modreg_debug.h`.
#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub
)]
mod bindings {
    use kernel::bindings::*;

    include!(env!("MODREG_DEBUG_BINDINGS"));
}

/// Returns where the value is in what an [`Arc`](kernel::sync::Arc) points to: behind the count of references.
const fn in_arc<T>() -> usize {
    size_of::<Refcount>().next_multiple_of(align_of::<T>())
}

/// Where the tables are in what a plugin's pointer leads to.
const TABLES: usize = RcuBox::<Tables>::VALUE;
const SYMTAB: usize = TABLES + offset_of!(Tables, symtab);
const REGIONS: usize = TABLES + offset_of!(Tables, regions);
const PLUGIN: usize = RcuCounted::<Plugin>::VALUE;
const SYMBOLS: usize = in_arc::<Symbols>();
const STRINGS: usize = SYMBOLS + Symbols::NAMES + StrTab::<MaybeOwned<u8>>::BYTES;

// Where there is no array, its pointer is null.
const _: () = assert!(size_of::<Option<MaybeOwned<u32>>>() == size_of::<MaybeOwned<u32>>());

/// The information, which does not change.
#[repr(transparent)]
struct Constant(DebugInfo);

// SAFETY: Nothing writes to it, and nobody in the kernel follows its pointer.
unsafe impl Sync for Constant {}

#[no_mangle]
#[used]
static modreg_debug_info: Constant = Constant(DebugInfo {
    magic: MODREG_DEBUG_MAGIC,
    version: MODREG_DEBUG_VERSION,
    size: size_of::<DebugInfo>() as u32,
    plugins: RcuList::as_ptr(&PLUGINS),
    node_plugin: Node::<PluginRef>::VALUE as u32,
    plugin_name: (PLUGIN + Plugin::NAME) as u32,
    plugin_name_size: size_of::<Name>() as u32,
    plugin_generation: (PLUGIN + Plugin::GENERATION) as u32,
    plugin_state: (PLUGIN + Plugin::STATE) as u32,
    plugin_references: (PLUGIN + Plugin::REFS) as u32,
    plugin_tables: (PLUGIN + Plugin::TABLES) as u32,
    tables_regions: (REGIONS + MaybeOwned::<Region>::PTR) as u32,
    tables_num_regions: (REGIONS + MaybeOwned::<Region>::LEN) as u32,
    tables_symbols: (SYMTAB + Symtab::SYMBOLS) as u32,
    tables_visible: (SYMTAB + Symtab::VISIBLE + MaybeOwned::<u32>::PTR) as u32,
    tables_num_visible: (SYMTAB + Symtab::VISIBLE + MaybeOwned::<u32>::LEN) as u32,
    region_size: size_of::<Region>() as u32,
    region_base: offset_of!(Region, base) as u32,
    region_length: offset_of!(Region, size) as u32,
    region_text: offset_of!(Region, text) as u32,
    symbols_table: (SYMBOLS + Symbols::SYMS + MaybeOwned::<Elf64_Sym>::PTR) as u32,
    symbols_num: (SYMBOLS + Symbols::SYMS + MaybeOwned::<Elf64_Sym>::LEN) as u32,
    symbols_strings: (STRINGS + MaybeOwned::<u8>::PTR) as u32,
    symbols_strings_size: (STRINGS + MaybeOwned::<u8>::LEN) as u32,
    symbols_types: (SYMBOLS + Symbols::TYPES + MaybeOwned::<u8>::PTR) as u32,
    symbol_size: size_of::<Elf64_Sym>() as u32,
    symbol_name: offset_of!(Elf64_Sym, st_name) as u32,
    symbol_value: offset_of!(Elf64_Sym, st_value) as u32,
});
