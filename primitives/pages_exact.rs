// SPDX-License-Identifier: GPL-2.0

//! Allocator of as many pages as are needed.
//!
//! C header: [`include/linux/gfp.h`](srctree/include/linux/gfp.h)
//!
//! Beyond half a page `kmalloc()`, and with it [`KVmalloc`], rounds a size up to a power of two pages,
//! and takes several such objects at a time. [`Vmalloc`] does not, but maps memory by small pages:
//! searches in it miss the TLB more often.

use super::bindings as helpers;
use core::{
    alloc::Layout,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    alloc::{
        allocator::{
            KVmalloc,
            Vmalloc, //
        },
        AllocError,
        Allocator,
        Flags,
        NumaNode, //
    },
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

/// The allocator of `alloc_pages_exact()`.
///
/// Up to half a page it is [`KVmalloc`]. Larger memory is pages of the direct map, or of
/// [`Vmalloc`] if they are not found at once, as with `kvmalloc()`.
///
/// Meant for memory whose size is known. To grow or shrink it copies it.
///
/// # Examples
///
/// ```
/// let mut squares = ExactVec::with_capacity(10_000, GFP_KERNEL)?;
/// for i in 0..10_000_u64 {
///     squares.push(i * i, GFP_KERNEL)?;
/// }
/// assert_eq!(squares.last(), Some(&99_980_001));
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct PagesExact;

/// A vector in exactly as many pages as it needs.
pub(crate) type ExactVec<T> = Vec<T, PagesExact>;

/// Returns whether memory is [`KVmalloc`]'s.
fn is_small(layout: Layout) -> bool {
    layout.size() <= PAGE_SIZE / 2
}

/// Allocates memory that is not small.
fn alloc_large(layout: Layout, flags: Flags, nid: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
    // What else flags, nodes and alignments may ask for is left to `Vmalloc`.
    if flags == GFP_KERNEL && nid == NumaNode::NO_NODE && layout.align() <= PAGE_SIZE {
        // SAFETY: Any size may be asked for. `kvmalloc()` tries with these flags too.
        let pages = unsafe { helpers::alloc_pages_exact(layout.size(), bindings::GFP_NOWAIT) };
        if let Some(ptr) = NonNull::new(pages.cast::<u8>()) {
            // SAFETY: `pages` is memory of that size, which kmemleak does not know yet.
            unsafe { helpers::kmemleak_alloc(pages, layout.size(), 1, bindings::GFP_KERNEL) };
            return Ok(NonNull::slice_from_raw_parts(ptr, layout.size()));
        }
    }
    Vmalloc::alloc(layout, flags, nid)
}

// SAFETY:
// - Memory of each kind stays valid until it is freed, by `realloc()` or `free()`.
// - The size tells what is `KVmalloc`'s, and the address what is `Vmalloc`'s, so that memory is freed by what
//   allocated it.
// - `realloc()` allocates memory with the guarantees of `KVmalloc` and `Vmalloc`, and of
//   `alloc_pages_exact()`, which aligns to pages; and copies what both sizes have.
unsafe impl Allocator for PagesExact {
    const MIN_ALIGN: usize = KVmalloc::MIN_ALIGN;

    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let old_layout = ptr.map_or(Layout::new::<()>(), |_| old_layout);
        if is_small(layout) && is_small(old_layout) {
            // SAFETY: By the safety requirements, `ptr` is memory of `old_layout`; it is small, so it is
            // `KVmalloc`'s.
            return unsafe { KVmalloc::realloc(ptr, layout, old_layout, flags, nid) };
        }
        let new = if is_small(layout) {
            KVmalloc::alloc(layout, flags, nid)?
        } else {
            alloc_large(layout, flags, nid)?
        };
        if let Some(old) = ptr {
            let size = layout.size().min(old_layout.size());
            // SAFETY: By the safety requirements, `old` is memory of `old_layout`, and is not used again.
            // `new` is other memory, of `layout`. Each has at least `size` bytes.
            unsafe {
                ptr::copy_nonoverlapping(old.as_ptr(), new.as_ptr().cast(), size);
                Self::free(old, old_layout);
            }
        }
        Ok(new)
    }

    unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        // An empty vector comes here too.
        if layout.size() == 0 {
            return;
        }
        let address = ptr.as_ptr().cast();
        // SAFETY: By the safety requirements, `ptr` is memory of `layout`, which is not used again. What is
        // small is `KVmalloc`'s; of the rest `Vmalloc`'s lies where `vmalloc()` has its memory, and the other
        // was allocated by `alloc_pages_exact()` with that size.
        unsafe {
            if is_small(layout) {
                KVmalloc::free(ptr, layout);
            } else if bindings::is_vmalloc_addr(address) {
                Vmalloc::free(ptr, layout);
            } else {
                helpers::kmemleak_free(address);
                bindings::free_pages_exact(address, layout.size());
            }
        }
    }
}
