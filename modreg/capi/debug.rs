// SPDX-License-Identifier: GPL-2.0

//! What debuggers read: `include/modreg_debug.h`.

use crate::{
    modreg::{
        name::Name,
        plugin::{
            list::PLUGINS,
            Plugin, //
        },
        tables::{
            region::Region,
            symbols::{
                Copied,
                Entry,
                Lent,
                Shared, //
            },
            symtab::Orders,
            Tables, //
        },
    },
    primitives::{
        borrowed::Borrowed,
        counted_list::CountedList,
        cstr::StrTab,
        rcu::RcuBox,
        rcu_counted::RcuCounted,
        vec::FixedVec, //
    },
};
use bindings::{
    modreg_debug_info as DebugInfo,
    modreg_debug_symbols as DebugSymbols,
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

/// Where the plugin, its tables and its symbols are in what the pointers to them lead to.
const PLUGIN: usize = RcuCounted::<Plugin>::VALUE;
const TABLES: usize = RcuBox::<Tables>::VALUE;
const SYMBOLS: usize = in_arc::<Shared>();
const CONTENT: usize = SYMBOLS + Shared::CONTENT;

/// The form of copied symbols.
const COPIED: DebugSymbols = {
    let entries = CONTENT + offset_of!(Copied, entries);
    let strings = CONTENT + offset_of!(Copied, names) + StrTab::<FixedVec<u8>>::BYTES;
    DebugSymbols {
        table: (entries + FixedVec::<Entry>::PTR) as u32,
        num: (entries + FixedVec::<Entry>::LEN) as u32,
        strings: (strings + FixedVec::<u8>::PTR) as u32,
        strings_size: (strings + FixedVec::<u8>::LEN) as u32,
        types: 0,
        symbol_size: size_of::<Entry>() as u32,
        symbol_name: offset_of!(Entry, name) as u32,
        symbol_value: offset_of!(Entry, value) as u32,
        symbol_type: offset_of!(Entry, letter) as u32,
    }
};

/// The form of an ELF symbol table.
const LENT: DebugSymbols = {
    let syms = CONTENT + offset_of!(Lent, syms);
    let strings = CONTENT + offset_of!(Lent, names) + StrTab::<Borrowed<u8>>::BYTES;
    let letters = CONTENT + offset_of!(Lent, letters);
    DebugSymbols {
        table: (syms + Borrowed::<Elf64_Sym>::PTR) as u32,
        num: (syms + Borrowed::<Elf64_Sym>::LEN) as u32,
        strings: (strings + Borrowed::<u8>::PTR) as u32,
        strings_size: (strings + Borrowed::<u8>::LEN) as u32,
        types: (letters + Borrowed::<u8>::PTR) as u32,
        symbol_size: size_of::<Elf64_Sym>() as u32,
        symbol_name: offset_of!(Elf64_Sym, st_name) as u32,
        symbol_value: offset_of!(Elf64_Sym, st_value) as u32,
        symbol_type: 0,
    }
};

/// The information, which does not change.
#[repr(transparent)]
struct Constant(DebugInfo);

// SAFETY: It is not written, and no code of the kernel follows its pointer.
unsafe impl Sync for Constant {}

#[no_mangle]
#[used]
static modreg_debug_info: Constant = Constant(DebugInfo {
    magic: MODREG_DEBUG_MAGIC,
    version: MODREG_DEBUG_VERSION,
    size: size_of::<DebugInfo>() as u32,
    plugins: CountedList::as_ptr(&PLUGINS),
    plugin_node: RcuCounted::<Plugin>::LINKS as u32,
    plugin_name: (PLUGIN + Plugin::NAME) as u32,
    plugin_name_size: size_of::<Name>() as u32,
    plugin_generation: (PLUGIN + Plugin::GENERATION) as u32,
    plugin_state: (PLUGIN + Plugin::STATE) as u32,
    plugin_references: (PLUGIN + Plugin::REFS) as u32,
    plugin_tables: (PLUGIN + Plugin::TABLES) as u32,
    plugin_regions: (PLUGIN + Plugin::ELEMENTS) as u32,
    plugin_num_regions: (PLUGIN + Plugin::NUM) as u32,
    tables_is_init: (TABLES + Tables::IS_INIT) as u32,
    tables_symbols: (TABLES + Tables::SHARED) as u32,
    tables_tail: (TABLES + Tables::ELEMENTS) as u32,
    tables_num_tail: (TABLES + Tables::NUM) as u32,
    tables_strings_size: (TABLES + Tables::SIZE) as u32,
    tables_orders: (TABLES + Tables::ORDERS) as u32,
    orders_visible: (Orders::VISIBLE + FixedVec::<u32>::PTR) as u32,
    orders_num_visible: (Orders::VISIBLE + FixedVec::<u32>::LEN) as u32,
    region_size: size_of::<Region>() as u32,
    region_base: Region::BASE as u32,
    region_length: Region::SIZE as u32,
    region_length_bits: Region::SIZE_BITS,
    region_text: Region::TEXT_BIT,
    region_init: Region::INIT_BIT,
    symbols_form: SYMBOLS as u32,
    // In the order of the variants.
    forms: [COPIED, LENT],
    reserved: 0,
});
